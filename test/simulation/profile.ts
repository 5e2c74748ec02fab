import { Chance } from './chance.ts'

/** What a seed's world is like. */
export interface Profile {
  readonly founders: number
  readonly clients: number
  readonly keys: number
  readonly horizonMs: number
  readonly faults: number
  readonly loss: number
  readonly repeats: number
  readonly delayMs: number
  readonly tailMs: number
  readonly diskMs: number
  readonly snapshotEntries: number
  readonly keepEntries: number
  readonly maxApplyPerTurn: number
  readonly maxSessions: number
  readonly sliceBytes: number
  /** Members come and go; or else a disk may be damaged, and its member is replaced. */
  readonly changes: boolean
}

export const TICK_MS = 10
/** A time after which everything has settled, if nothing is wrong. */
export const SETTLE_MS = 12_000

export function profileOf(seed: number): Profile {
  const chance = new Chance(seed, 'profile')
  return {
    founders: chance.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 7]),
    clients: 2 + chance.below(3),
    keys: 1 + chance.below(2),
    horizonMs: 1000 + chance.below(1500),
    faults: chance.happens(0.05) ? 0 : 2 + chance.below(16),
    loss: chance.happens(0.4) ? 0 : chance.fraction() * 0.08,
    repeats: chance.happens(0.4) ? 0 : chance.fraction() * 0.08,
    delayMs: chance.between(0.1, 3),
    tailMs: chance.happens(0.3) ? chance.between(5, 40) : 1,
    diskMs: chance.between(0.02, 1.5),
    snapshotEntries: chance.pick([5, 10, 20, 40, 1000]),
    keepEntries: chance.pick([0, 0, 3, 15]),
    maxApplyPerTurn: chance.pick([1, 3, 100]),
    maxSessions: chance.pick([2, 4, 100, 100]),
    sliceBytes: chance.pick([60, 300, 4096]),
    changes: chance.happens(0.6),
  }
}

export type FaultKind =
  | 'crash'
  | 'crash-all'
  | 'crash-leader'
  | 'pause'
  | 'pause-leader'
  | 'cut'
  | 'split'
  | 'isolate'
  | 'isolate-leader'
  | 'slow-disk'
  | 'eio'
  | 'enospc'
  | 'flip'
  | 'loss'
  | 'transfer'
  | 'change'
  | 'wall-clock'

/** One thing that goes wrong; what its numbers mean depends on its kind. */
export interface Fault {
  readonly at: number
  readonly kind: FaultKind
  readonly lastsMs: number
  /** Whom it hits, modulo those who are there. */
  readonly who: number
  readonly whom: number
  readonly draw: number
}

const KINDS: readonly FaultKind[] = [
  'crash',
  'crash',
  'crash',
  'crash-all',
  'crash-leader',
  'crash-leader',
  'pause-leader',
  'pause-leader',
  'split',
  'split',
  'pause',
  'pause',
  'cut',
  'cut',
  'cut',
  'isolate',
  'isolate-leader',
  'isolate-leader',
  'slow-disk',
  'eio',
  'enospc',
  'flip',
  'loss',
  'transfer',
  'change',
  'change',
  'change',
  'wall-clock',
]

export function faultsOf(seed: number, profile: Profile): readonly Fault[] {
  const chance = new Chance(seed, 'faults')
  const faults = Array.from({ length: profile.faults }, (): Fault => {
    const at = 20 + chance.below(profile.horizonMs)
    const kind = chance.pick(KINDS)
    return {
      at,
      kind,
      lastsMs: 5 + chance.fraction() ** 2 * 600,
      who: chance.below(60),
      whom: chance.below(60),
      draw: chance.fraction(),
    }
  })
  return faults.toSorted((a, b) => a.at - b.at)
}
