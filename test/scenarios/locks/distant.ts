import { sleep } from '../../../lib/runtime/runtime.ts'
import type { Store } from '../../../lib/store/store.ts'

/** `store` with some of its methods replaced. */
export const overriding = (store: Store, replaced: Partial<Store>): Store => ({
  name: store.name,
  capabilities: store.capabilities,
  runtime: store.runtime,
  now: () => store.now(),
  execute: (command, options) => store.execute(command, options),
  read: (key, options) => store.read(key, options),
  ...replaced,
})

/** Now and then nothing gets through: for the first `forMs` of every `everyMs`. */
export interface Stills {
  readonly forMs: number
  readonly everyMs: number
}

/** `store` at the end of a line that takes `ms` each way. */
export function distant(store: Store, ms: number, { forMs, everyMs }: Stills = { forMs: 0, everyMs: 1 }): Store {
  const { clock, timer } = store.runtime
  const pass = async (): Promise<void> => {
    await sleep(timer, ms)
    const intoMs = clock.wall() % everyMs
    if (intoMs < forMs) await sleep(timer, forMs - intoMs)
  }
  const travel = async <T>(send: () => Promise<T>): Promise<T> => {
    await pass()
    const answer = await send()
    await pass()
    return answer
  }
  return overriding(store, {
    execute: (command, options) => travel(() => store.execute(command, options)),
    acquireAll: store.acquireAll && ((commands, options) => travel(async () => store.acquireAll?.(commands, options) as never)),
    read: (key, options) => travel(() => store.read(key, options)),
  })
}
