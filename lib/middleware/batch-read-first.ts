import { onceTransition } from '../idempotency/transitions.ts'
import type { Command, OnceBegin, Replies } from '../store/command.ts'
import { AlonceError, isAlonceError } from '../store/errors.ts'
import type { OnceRecord } from '../store/record.ts'
import type { SendOptions, Store } from '../store/store.ts'

type Begin = Replies['once.begin']

/**
 * The store for a record that was delivered before, and so has probably run: a begin first reads, and only writes when it may
 * succeed. A refused write costs a write unit, a read half of one.
 *
 * What a read says of a refusal is what the transition itself says, so nothing is decided here that the store would decide
 * otherwise. All else goes to the store as it is, whatever it can do.
 */
export function readingFirst(store: Store): Store {
  const execute = async (command: Command, options: SendOptions = {}): Promise<unknown> =>
    (command.type === 'once.begin' ? await refusal(store, command, options) : undefined) ?? store.execute(command, options)
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'execute') return execute
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

async function refusal(store: Store, command: OnceBegin, options: SendOptions): Promise<Begin | undefined> {
  const record = await read(store, command, options)
  if (!record) return undefined
  const now = store.now()
  // Without a clock every lease looks alive; then only the store itself can tell.
  if (record.status !== 'completed' && !Number.isFinite(now.earliest)) return undefined
  const reply = onceTransition(record, command, { ...now, sentAtMs: now.latest, resent: false, seed: 0 }).reply as Begin
  switch (reply.outcome) {
    case 'in-progress':
    case 'mismatch':
      return reply
    case 'completed':
      // A large result is left as its pointer by a read, and is brought along by a refused begin.
      return reply.result.body instanceof Uint8Array ? reply : undefined
    case 'started':
    case 'stale':
      return undefined
  }
}

/** A read that fails has changed nothing: there is no begin to give back. */
async function read(store: Store, { key }: OnceBegin, options: SendOptions): Promise<OnceRecord | undefined> {
  try {
    const record = await store.read(key, options)
    return record?.kind === 'once' ? record : undefined
  } catch (cause) {
    if (!isAlonceError(cause, 'STORE_UNAVAILABLE')) throw cause
    throw new AlonceError('STORE_UNAVAILABLE', cause.message, { cause, retryAfterMs: cause.retryAfterMs, maybeApplied: false })
  }
}
