import type { Command, ReplyTo } from '../store/command.ts'
import type { RecordKey } from '../store/record.ts'
import type { SendOptions, Store } from '../store/store.ts'

/**
 * The store, so that a wait for a lock can be called off: at once nobody sleeps any more, and nothing is asked but to leave.
 * A grant that was under way is given back by whoever waited for it.
 */
export function stoppable(store: Store, stop: AbortSignal): Store {
  const refuse = (): Promise<never> => Promise.reject(stop.reason as Error)
  const { clock, random, timer } = store.runtime
  return {
    name: store.name,
    capabilities: store.capabilities,
    transactions: store.transactions,
    now: () => store.now(),
    read: (key: RecordKey, options?: SendOptions) => (stop.aborted ? refuse() : store.read(key, options)),
    execute: <C extends Command>(command: C, options?: SendOptions): Promise<ReplyTo<C>> =>
      stop.aborted && command.type !== 'lock.release' ? refuse() : store.execute(command, options),
    runtime: {
      clock,
      random,
      timer: {
        after: (ms, action, ground) => {
          const wake = (): void => {
            cancel()
            action()
          }
          const cancelTimer = timer.after(stop.aborted ? 0 : ms, () => wake(), ground)
          const cancel = (): void => {
            cancelTimer()
            stop.removeEventListener('abort', wake)
          }
          stop.addEventListener('abort', wake, { once: true })
          return cancel
        },
      },
    },
  }
}
