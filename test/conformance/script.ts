import fc from 'fast-check'
import type { Command, Reply } from '../../lib/store/command.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { AlonceRecord, Fence, RecordKey, StoredResult } from '../../lib/store/record.ts'
import type { Transition } from '../../lib/store/store.ts'
import type { Moment } from '../../lib/store/time.ts'
import { transition } from '../../lib/stores/transition.ts'

/**
 * Scripts for the pure functions: commands of several owners, some sent again, some arriving late or twice, at moments
 * whose intervals are random but always contain the true time, which never runs backwards.
 */
export type Kind = 'lock' | 'more locks' | 'once'

export const LOCK_KEY: RecordKey = lockKey('resource')
export const ONCE_KEY = 'once/charge/0f1e2d' as RecordKey

/** How a command came to the record: `again` is the client's own retry, `ghost` the same bytes a second time. */
export type Sending = 'first' | 'again' | 'ghost'

export interface Played {
  readonly command: Command
  readonly moment: Moment
  /** The time that nobody in the system knows. */
  readonly trueMs: number
  readonly sending: Sending
  /** Somebody deleted the record just before. */
  readonly deleted: boolean
  readonly before: AlonceRecord | undefined
  readonly after: AlonceRecord | undefined
  readonly reply: Reply
}

interface Passing {
  readonly afterMs: number
  readonly earlyMs: number
  readonly lateMs: number
  readonly flightMs: number
}

type Move =
  | (Passing & {
      readonly move: 'send'
      readonly owner: number
      readonly verb: string
      readonly leaseMs: number
      readonly payload: string | undefined
      readonly hold: boolean
      readonly staleFence: boolean
    })
  | (Passing & { readonly move: 'repeat'; readonly back: number; readonly resent: boolean })
  | (Passing & { readonly move: 'delete' })

export type Script = readonly Move[]

const VERBS: { readonly [kind in Kind]: readonly string[] } = {
  lock: ['acquire', 'acquire', 'acquire', 'renew', 'renew', 'release', 'release', 'break'],
  'more locks': [
    ...['acquire', 'share', 'share', 'permit', 'permit', 'permit', 'permit', 'queue', 'queue', 'queue'],
    ...['renew', 'renew', 'release', 'release', 'release', 'break'],
  ],
  once: ['begin', 'begin', 'begin', 'extend', 'checkpoint', 'retire', 'complete', 'complete', 'abandon', 'forget'],
}

const OPENS: ReadonlySet<string> = new Set(['acquire', 'share', 'permit', 'queue', 'begin'])

const passing = {
  afterMs: fc.oneof(
    { arbitrary: fc.integer({ min: 0, max: 400 }), weight: 6 },
    { arbitrary: fc.integer({ min: 1000, max: 9000 }), weight: 3 },
    { arbitrary: fc.constant(200_000_000), weight: 1 },
  ),
  earlyMs: fc.integer({ min: 0, max: 1500 }),
  lateMs: fc.integer({ min: 0, max: 1500 }),
  flightMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })),
}

export function scripts(kind: Kind): fc.Arbitrary<Script> {
  const send = fc.record({
    move: fc.constant('send' as const),
    owner: fc.integer({ min: 0, max: kind === 'more locks' ? 9 : 5 }),
    verb: fc.constantFrom(...VERBS[kind]),
    leaseMs: fc.integer({ min: 1000, max: 5000 }),
    payload: fc.constantFrom(undefined, 'p', 'p', 'q'),
    hold: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
    staleFence: fc.boolean(),
    ...passing,
  })
  const repeat = fc.record({
    move: fc.constant('repeat' as const),
    back: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 12 })),
    resent: fc.boolean(),
    ...passing,
  })
  const remove = fc.record({ move: fc.constant('delete' as const), ...passing })
  const move: fc.Arbitrary<Move> = fc.oneof(
    { arbitrary: send, weight: 12 },
    { arbitrary: repeat, weight: 6 },
    { arbitrary: remove, weight: 1 },
  )
  return fc.array(move, { minLength: 2, maxLength: 40, size: 'max' })
}

interface Sent {
  readonly command: Command
  readonly sentAtMs: number
}

/** Plays a script against one record. `apply` is the product's transition unless a negative control plants a bug in it. */
export function play(kind: Kind, script: Script, apply: Transition = transition): readonly Played[] {
  const stage = new Stage(kind, apply)
  for (const move of script) stage.move(move)
  return stage.played
}

class Stage {
  readonly played: Played[] = []
  readonly #kind: Kind
  readonly #apply: Transition
  #trueMs = Date.UTC(2026, 0, 15)
  #record: AlonceRecord | undefined
  #seed = 0
  #deleted = false
  #sent: Sent[] = []
  #begun = new Map<string, Sent>()
  #fences = new Map<string, Fence>()

  constructor(kind: Kind, apply: Transition) {
    this.#kind = kind
    this.#apply = apply
  }

  move(move: Move): void {
    this.#trueMs += move.afterMs
    if (move.move === 'delete') {
      this.#record = undefined
      this.#deleted = true
    } else if (move.move === 'repeat') {
      const sent = this.#sent.at(-1 - move.back)
      if (sent) this.#deliver(sent, move.resent ? 'again' : 'ghost', move)
    } else {
      this.#send(`owner-${move.owner}`, move)
    }
  }

  #send(named: string, move: Extract<Move, { move: 'send' }>): void {
    const opens = OPENS.has(move.verb)
    const owner = opens ? named : this.#ownerFor(named, move)
    const earlier = opens ? this.#begun.get(owner) : undefined
    // An owner is the name of one attempt: it acquires or begins once, and whatever comes later is that one again.
    const sent = earlier ?? { command: this.#command(owner, move), sentAtMs: this.#trueMs - move.flightMs + move.lateMs }
    if (opens) this.#begun.set(owner, sent)
    if (!earlier) this.#sent.push(sent)
    this.#deliver(sent, earlier ? 'again' : 'first', move)
  }

  /** Where several hold and wait, mostly one of them. */
  #ownerFor(named: string, move: Extract<Move, { move: 'send' }>): string {
    if (this.#kind !== 'more locks' || move.staleFence || this.#record?.kind !== 'lock') return named
    const { holder, pool, queue = [] } = this.#record
    const there = [...(holder ? [holder.owner] : []), ...Object.keys(pool?.members ?? {}), ...queue.map(({ owner }) => owner)]
    return there[move.owner % Math.max(1, there.length - (move.hold ? 0 : queue.length))] ?? named
  }

  #deliver({ command, sentAtMs }: Sent, sending: Sending, passing: Passing): void {
    const before = this.#record
    const moment: Moment = {
      earliest: this.#trueMs - passing.earlyMs,
      latest: this.#trueMs + passing.lateMs,
      sentAtMs: Math.min(sentAtMs, this.#trueMs + passing.lateMs),
      resent: sending === 'again',
      seed: this.#seed,
    }
    const { record: after, reply } = this.#apply(before, command, moment)
    this.played.push({ command, moment, trueMs: this.#trueMs, sending, deleted: this.#deleted, before, after, reply })
    this.#deleted = false
    this.#record = after
    this.#seed = Math.max(this.#seed, after?.fence ?? 0, after?.version ?? 0)
    if ('fence' in reply && (reply.outcome === 'acquired' || reply.outcome === 'started')) {
      this.#fences.set(command.owner, reply.fence)
    }
  }

  #command(owner: string, move: Extract<Move, { move: 'send' }>): Command {
    const { verb, leaseMs } = move
    const shown = this.#record?.fence ?? 0
    const fence = (move.staleFence ? shown - 1 : shown) as Fence
    const own = this.#fences.get(owner) ?? fence
    const common = { key: this.#kind === 'once' ? ONCE_KEY : LOCK_KEY, owner }
    switch (`${this.#kind === 'once' ? 'once' : 'lock'}.${verb}` as Command['type'] | `lock.${'share' | 'permit' | 'queue'}`) {
      case 'lock.share':
        return { type: 'lock.acquire', ...common, leaseMs, share: { weight: 1 } }
      case 'lock.permit':
        return { type: 'lock.acquire', ...common, leaseMs, share: { limit: leaseMs % 8 ? 2 : 3, weight: move.hold ? 2 : 1 } }
      case 'lock.queue':
        return { type: 'lock.acquire', ...common, leaseMs, queueMs: leaseMs * 2 }
      case 'lock.acquire':
        return { type: 'lock.acquire', ...common, leaseMs }
      case 'lock.renew':
        return { type: 'lock.renew', ...common, leaseMs, fence: own }
      case 'lock.release':
        return { type: 'lock.release', ...common }
      case 'lock.break':
        return { type: 'lock.break', ...common, owner: 'operator', fence }
      case 'once.begin':
        return { type: 'once.begin', ...common, leaseMs, retainMs: leaseMs * 2, fingerprint: move.payload, hold: move.hold }
      case 'once.extend':
        return { type: 'once.extend', ...common, leaseMs }
      case 'once.checkpoint':
        return { type: 'once.checkpoint', ...common, name: move.payload ?? 'step', value: owner }
      case 'once.retire':
        return { type: 'once.retire', ...common, name: move.payload ?? 'psp', generation: 1 + (leaseMs % 3) }
      case 'once.complete':
        return { type: 'once.complete', ...common, result: resultOf(owner), retainMs: leaseMs }
      case 'once.abandon':
        return { type: 'once.abandon', ...common }
      case 'once.forget':
        return { type: 'once.forget', ...common, owner: 'operator', fence }
    }
  }
}

export const resultOf = (owner: string): StoredResult => ({
  form: 'value',
  codec: 'json',
  body: new TextEncoder().encode(JSON.stringify({ by: owner })),
})
