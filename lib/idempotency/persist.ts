import { sleep } from '../runtime/runtime.ts'
import { isAlonceError } from '../store/errors.ts'
import type { SendOptions } from '../store/store.ts'
import { type Identity, requestTime } from './claim.ts'
import type { LeaseKeeper } from './lease.ts'
import type { Step } from './telling.ts'

/** How long the caller's answer may be held up by a write that the store does not take. */
const PATIENCE_MS = 10_000
const PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2000

interface Sender {
  readonly identity: Identity
  readonly keeper: LeaseKeeper
}

/** Sends until there is an answer, as long as the lease, the invocation and the caller's patience allow. */
export async function persist<R>(
  { identity, keeper }: Sender,
  step: Step,
  send: (options: SendOptions) => Promise<R>,
): Promise<R> {
  const { plan, deadline } = identity
  const { store } = plan
  const firstSentAtMs = store.now().latest
  const until = store.runtime.clock.monotonic() + PATIENCE_MS
  let resent = false
  for (let tries = 0; ; tries++) {
    try {
      return await send({ resent, firstSentAtMs, onRequest: step.onRequest, timeoutMs: requestTime(deadline) })
    } catch (error) {
      if (!isAlonceError(error, 'STORE_UNAVAILABLE')) throw error
      resent ||= error.maybeApplied !== false
      const pause = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** tries)
      const left = Math.min(until - store.runtime.clock.monotonic(), keeper.leftMs())
      if (pause > deadline.spare(left)) throw error
      await sleep(store.runtime.timer, pause)
    }
  }
}
