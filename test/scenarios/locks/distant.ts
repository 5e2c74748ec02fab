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

/** `store` at the end of a line that takes `ms` each way. */
export function distant(store: Store, ms: number): Store {
  const travel = async <T>(send: () => Promise<T>): Promise<T> => {
    await sleep(store.runtime.timer, ms)
    const answer = await send()
    await sleep(store.runtime.timer, ms)
    return answer
  }
  return overriding(store, {
    execute: (command, options) => travel(() => store.execute(command, options)),
    acquireAll: store.acquireAll && ((commands, options) => travel(async () => store.acquireAll?.(commands, options) as never)),
    read: (key, options) => travel(() => store.read(key, options)),
  })
}
