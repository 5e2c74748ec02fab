import fc from 'fast-check'
import type { Fault } from '../../lib/testing/wire.ts'

/** Scripts for the model-based test: what clients do, what the network does to it, and how time goes on. */
export type Kind = 'lock' | 'more locks' | 'once'

export type Mishap = 'none' | Fault | 'outage' | 'outage-unseen' | 'held'

export interface Act {
  readonly move: 'act'
  readonly owner: number
  /** Whoever owns the record (holds, shares or queues for the lock) sends it, unless it acquires or begins. */
  readonly current: boolean
  readonly verb: string
  readonly leaseMs: number
  readonly payload: string | undefined
  readonly hold: boolean
  readonly wrongFence: boolean
  readonly mishap: Mishap
  /** The request is kept, to be delivered once more later. */
  readonly keep: boolean
}

export type Move =
  | Act
  /** A kept request arrives again. */
  | { readonly move: 'ghost'; readonly back: number }
  /** The caller sends again a command that it has sent before. */
  | { readonly move: 'again'; readonly back: number }
  | { readonly move: 'pass'; readonly ms: number }
  | { readonly move: 'remove' }

/** A verb that acquires or begins names its owner for the first time. */
export const OPENS: ReadonlySet<string> = new Set(['acquire', 'together', 'share', 'permit', 'queue', 'begin', 'reconcile'])

const VERBS: { readonly [kind in Kind]: readonly string[] } = {
  lock: ['acquire', 'acquire', 'together', 'together', 'renew', 'renew', 'release', 'release', 'break'],
  'more locks': [
    ...['acquire', 'together', 'share', 'share', 'permit', 'permit', 'permit', 'queue', 'queue', 'queue'],
    ...['renew', 'renew', 'release', 'release', 'release', 'release', 'break'],
  ],
  once: [
    ...['begin', 'begin', 'begin', 'begin', 'reconcile', 'extend', 'checkpoint', 'retire'],
    ...['complete', 'complete', 'transact', 'transact', 'abandon', 'forget'],
  ],
}

const mishaps: fc.Arbitrary<Mishap> = fc.oneof(
  { arbitrary: fc.constant<Mishap>('none'), weight: 8 },
  { arbitrary: fc.constantFrom<Mishap>('drop-answer', 'drop-answer', 'drop-request', 'throttle'), weight: 4 },
  { arbitrary: fc.constantFrom<Mishap>('outage', 'outage-unseen', 'held'), weight: 1 },
)

export function modelScripts(kind: Kind): fc.Arbitrary<readonly Move[]> {
  const act = fc.record({
    move: fc.constant('act' as const),
    owner: fc.integer({ min: 0, max: kind === 'more locks' ? 11 : 6 }),
    current: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
    verb: fc.constantFrom(...VERBS[kind]),
    leaseMs: fc.constantFrom(3000, 5000, 9000),
    payload: fc.constantFrom(undefined, 'p', 'p', 'q'),
    hold: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
    wrongFence: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    mishap: mishaps,
    keep: fc.boolean(),
  })
  const back = fc.integer({ min: 0, max: 6 })
  const pass = fc.oneof(
    { arbitrary: fc.integer({ min: 0, max: 900 }), weight: 3 },
    { arbitrary: fc.integer({ min: 3000, max: 16_000 }), weight: 4 },
    { arbitrary: fc.constant(70_000), weight: 1 },
  )
  return fc.array(
    fc.oneof(
      { arbitrary: act, weight: 10 },
      { arbitrary: fc.record({ move: fc.constant('ghost' as const), back }), weight: 3 },
      { arbitrary: fc.record({ move: fc.constant('again' as const), back }), weight: 2 },
      { arbitrary: fc.record({ move: fc.constant('pass' as const), ms: pass }), weight: 4 },
      { arbitrary: fc.constant({ move: 'remove' as const }), weight: 1 },
    ),
    { minLength: 4, maxLength: 24, size: 'max' },
  )
}
