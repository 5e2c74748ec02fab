import { invariant } from '../core/invariant.ts'
import { asBuffer, readWhole, writeWhole } from '../log/bytes.ts'
import type { Command } from './batch.ts'
import type { SessionLimits } from './options.ts'

/** What became of a command when its turn came; the same on every member. */
export type Answer =
  | { readonly outcome: 'executed'; readonly reply: Uint8Array }
  | { readonly outcome: 'session-unknown' | 'answered' | 'too-far-ahead' }

interface Session {
  readonly acknowledged: number
  /** Replies to numbers after `acknowledged`. */
  readonly replies: Map<number, Uint8Array>
}

/**
 * What clients asked before, so that a command that arrives twice, or late, is answered and not executed again (thesis §6.3). It is
 * part of the replicated state: it survives failover, restart and snapshots, and is the same everywhere.
 *
 * A session's id is the place in the log at which it was opened. So an id that is not here was here once: it was evicted.
 */
export class Sessions {
  readonly #limits: SessionLimits
  /** In order of use: the first was not used for longest. */
  #byId = new Map<number, Session>()
  #lastId = 0

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#byId.size
  }

  /** Ids rise; the one after the last is given if `atLeast` was taken. The reply is the id, eight bytes. */
  open(atLeast: number): Uint8Array {
    this.#lastId = Math.max(atLeast, this.#lastId + 1)
    this.#byId.set(this.#lastId, { acknowledged: 0, replies: new Map() })
    if (this.#byId.size > this.#limits.maxSessions) this.#evictOldest()
    const reply = Buffer.alloc(8)
    writeWhole(reply, this.#lastId, 0)
    return reply
  }

  answer({ session: id, sequence, acknowledged, payload }: Command, execute: (payload: Uint8Array) => Uint8Array): Answer {
    const session = this.#byId.get(id)
    if (!session) return { outcome: 'session-unknown' }
    const known = this.#use(id, session, acknowledged)
    const before = known.replies.get(sequence)
    if (before) return { outcome: 'executed', reply: before }
    if (sequence <= known.acknowledged) return { outcome: 'answered' }
    if (sequence > known.acknowledged + this.#limits.maxAhead) return { outcome: 'too-far-ahead' }
    const reply = Uint8Array.from(execute(payload))
    known.replies.set(sequence, reply)
    return { outcome: 'executed', reply }
  }

  /** It moves to the end of the queue for eviction, and forgets what its client will not ask again. */
  #use(id: number, session: Session, acknowledged: number): Session {
    const next = acknowledged > session.acknowledged ? { acknowledged, replies: session.replies } : session
    if (next !== session) for (const sequence of next.replies.keys()) if (sequence <= acknowledged) next.replies.delete(sequence)
    this.#byId.delete(id)
    this.#byId.set(id, next)
    return next
  }

  #evictOldest(): void {
    for (const id of this.#byId.keys()) {
      this.#byId.delete(id)
      return
    }
  }

  /** One piece for each session, in order; first the last id. All at the call: the replies are shared, not copied. */
  snapshot(): Iterable<Uint8Array> {
    const sessions = [...this.#byId].map(([id, { acknowledged, replies }]) => ({ id, acknowledged, replies: [...replies] }))
    return encoded(this.#lastId, sessions)
  }

  static restore(limits: SessionLimits, pieces: readonly Uint8Array[]): Sessions {
    const sessions = new Sessions(limits)
    const [first, ...rest] = pieces
    if (!first) return sessions
    sessions.#lastId = readWhole(asBuffer(first), 0)
    for (const piece of rest) {
      const { id, session } = decodeSession(asBuffer(piece))
      sessions.#byId.set(id, session)
    }
    return sessions
  }
}

interface Encodable {
  readonly id: number
  readonly acknowledged: number
  readonly replies: readonly (readonly [number, Uint8Array])[]
}

function* encoded(lastId: number, sessions: readonly Encodable[]): Generator<Uint8Array, void, void> {
  const first = Buffer.alloc(8)
  writeWhole(first, lastId, 0)
  yield first
  for (const session of sessions) yield encodeSession(session)
}

/** id (8), acknowledged (8), then for each reply sequence (8), length (4), reply. */
function encodeSession({ id, acknowledged, replies }: Encodable): Uint8Array {
  const out = Buffer.alloc(replies.reduce((sum, [, reply]) => sum + 12 + reply.length, 16))
  writeWhole(out, id, 0)
  writeWhole(out, acknowledged, 8)
  let at = 16
  for (const [sequence, reply] of replies) {
    writeWhole(out, sequence, at)
    out.writeUInt32LE(reply.length, at + 8)
    out.set(reply, at + 12)
    at += 12 + reply.length
  }
  return out
}

function decodeSession(from: Buffer): { readonly id: number; readonly session: Session } {
  const replies = new Map<number, Uint8Array>()
  for (let at = 16; at < from.length; ) {
    const end = at + 12 + from.readUInt32LE(at + 8)
    invariant(end <= from.length, () => 'a session in a snapshot ends within a reply')
    replies.set(readWhole(from, at), Uint8Array.from(from.subarray(at + 12, end)))
    at = end
  }
  return { id: readWhole(from, 0), session: { acknowledged: readWhole(from, 8), replies } }
}
