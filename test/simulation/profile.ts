import { Chance } from './chance.ts'

/**
 * What a seed's world is about. Bugs hide where several rare things meet; a world in which everything happens a little
 * never gets there, so each one does some things a lot (Groce and others, "Swarm Testing", 2012).
 *
 * - `all`: a little of everything.
 * - `tails`: leaders whose entries reach nobody, or one, before they lose their office (the paper's figure 8).
 * - `reads`: questions everywhere, answers that come late, members that are back at once.
 * - `members`: one change after the other, with leaders that fail in the middle.
 * - `snapshots`: always behind, always being sent one; slow to apply, slow to restore.
 * - `storage`: writes that take longer than a term.
 */
export type Theme = 'all' | 'tails' | 'reads' | 'members' | 'snapshots' | 'storage'

/** What a seed's world is like. */
export interface Profile {
  readonly theme: Theme
  readonly founders: number
  readonly clients: number
  readonly keys: number
  readonly horizonMs: number
  readonly faults: number
  readonly loss: number
  readonly repeats: number
  readonly delayMs: number
  readonly tailMs: number
  /** How often a message takes up to `tailMs` longer. */
  readonly tailShare: number
  readonly diskMs: number
  readonly snapshotEntries: number
  readonly keepEntries: number
  readonly maxApplyPerTurn: number
  readonly maxSessions: number
  readonly sliceBytes: number
  readonly electionTicks: number
  readonly maxMessageBytes: number
  readonly maxInflightMessages: number
  readonly patienceTicks: number
  /** Until a member that was woken has its turn. */
  readonly turnMs: number
  /** For each piece of a state that is restored. */
  readonly restoreMs: number
  /** Between two of the observers' questions and commands; see `Observers`. */
  readonly probeMs: number
  /** Members come and go; or else a disk may be damaged, and its member is replaced. */
  readonly changes: boolean
}

export const TICK_MS = 10
/** A time after which everything has settled, if nothing is wrong. */
export const SETTLE_MS = 12_000

const THEMES: readonly Theme[] = ['all', 'all', 'all', 'tails', 'tails', 'reads', 'members', 'snapshots', 'storage']

export function profileOf(seed: number): Profile {
  const chance = new Chance(seed, 'profile')
  const theme = chance.pick(THEMES)
  return { ...general(theme, chance), ...particular(theme, chance) }
}

function general(theme: Theme, chance: Chance): Profile {
  return {
    theme,
    founders: chance.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 7]),
    clients: 2 + chance.below(3),
    keys: 1 + chance.below(2),
    horizonMs: 500 + chance.below(900),
    faults: chance.happens(0.05) ? 0 : 2 + chance.below(11),
    loss: chance.happens(0.4) ? 0 : chance.fraction() * 0.08,
    repeats: chance.happens(0.4) ? 0 : chance.fraction() * 0.08,
    delayMs: chance.between(0.1, 3),
    tailMs: chance.happens(0.3) ? chance.between(5, 40) : 1,
    tailShare: 0.1,
    diskMs: chance.between(0.02, 1.5),
    snapshotEntries: chance.pick([5, 10, 20, 40, 1000]),
    keepEntries: chance.pick([0, 0, 3, 15]),
    maxApplyPerTurn: chance.pick([1, 3, 100]),
    maxSessions: chance.pick([2, 4, 100, 100]),
    sliceBytes: chance.pick([60, 300, 4096]),
    electionTicks: chance.pick([4, 8, 8, 12]),
    maxMessageBytes: chance.pick([1, 300, 2000, 2000]),
    maxInflightMessages: chance.pick([1, 3, 8, 8]),
    patienceTicks: chance.pick([15, 40, 100]),
    turnMs: chance.pick([0.01, 0.01, 0.01, 0.5]),
    restoreMs: chance.pick([0, 0.1, 1]),
    probeMs: chance.between(10, 60),
    changes: chance.happens(0.6),
  }
}

/** What a theme has otherwise. */
function particular(theme: Theme, chance: Chance): Partial<Profile> {
  const often = { faults: 8 + chance.below(14) }
  switch (theme) {
    case 'all':
      return {}
    case 'tails':
      return {
        ...often,
        founders: chance.pick([3, 3, 5]),
        electionTicks: chance.pick([3, 4, 6]),
        maxMessageBytes: chance.pick([1, 1, 200]),
        patienceTicks: 100,
        changes: chance.happens(0.2),
      }
    case 'reads':
      return {
        ...often,
        founders: chance.pick([2, 3, 3, 5]),
        electionTicks: chance.pick([4, 6]),
        tailMs: chance.between(10, 60),
        tailShare: chance.pick([0.1, 0.3]),
        diskMs: chance.between(0.02, 0.3),
        probeMs: chance.between(2, 8),
        changes: false,
      }
    case 'members':
      return {
        ...often,
        founders: chance.pick([2, 3, 3, 4, 5]),
        electionTicks: chance.pick([3, 4, 8]),
        maxMessageBytes: chance.pick([1, 200, 2000]),
        snapshotEntries: chance.pick([3, 5, 20]),
        changes: true,
      }
    case 'snapshots':
      // Few faults: who is sent snapshots needs a leader that sends them.
      return {
        faults: 3 + chance.below(6),
        founders: chance.pick([2, 3, 3, 5]),
        loss: chance.pick([0, 0.02]),
        delayMs: chance.between(0.1, 1),
        electionTicks: chance.pick([8, 12]),
        snapshotEntries: chance.pick([2, 3, 5]),
        keepEntries: chance.pick([0, 0, 2]),
        maxMessageBytes: chance.pick([300, 2000]),
        maxApplyPerTurn: 1,
        turnMs: chance.pick([0.1, 0.5, 2]),
        restoreMs: chance.pick([0, 1, 5]),
        sliceBytes: chance.pick([300, 4096]),
        changes: chance.happens(0.7),
      }
    case 'storage':
      return {
        ...often,
        founders: chance.pick([3, 3, 5]),
        electionTicks: chance.pick([3, 4, 6]),
        diskMs: chance.between(0.5, 6),
        maxMessageBytes: chance.pick([1, 200, 2000]),
        changes: chance.happens(0.3),
      }
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
  | 'figure-8'
  | 'flip'
  | 'busy'
  | 'flaky'
  | 'hush'
  | 'stall'
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

const ALL: readonly FaultKind[] = [
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
  'busy',
  'flaky',
  'hush',
  'stall',
  'loss',
  'transfer',
  'change',
  'change',
  'change',
  'wall-clock',
]

/** Beside those of `ALL`, which are a third in every theme. */
const OFTEN: Readonly<Record<Theme, readonly FaultKind[]>> = {
  all: ALL,
  tails: [
    'figure-8',
    'figure-8',
    'figure-8',
    'hush',
    'hush',
    'crash-leader',
    'isolate-leader',
    'isolate-leader',
    'pause-leader',
    'transfer',
    'cut',
    'eio',
  ],
  reads: ['flaky', 'flaky', 'flaky', 'crash-leader', 'isolate-leader', 'pause-leader', 'hush', 'transfer'],
  members: [
    'figure-8',
    'change',
    'change',
    'change',
    'change',
    'crash-leader',
    'isolate-leader',
    'hush',
    'hush',
    'crash',
    'transfer',
  ],
  snapshots: [
    'busy',
    'busy',
    'busy',
    'busy',
    'isolate',
    'cut',
    'crash',
    'change',
    'change',
    'pause',
    'loss',
    'split',
    'slow-disk',
  ],
  storage: [
    'stall',
    'stall',
    'stall',
    'slow-disk',
    'slow-disk',
    'hush',
    'isolate-leader',
    'crash-leader',
    'crash',
    'transfer',
    'split',
    'eio',
    'enospc',
  ],
}

export function faultsOf(seed: number, profile: Profile): readonly Fault[] {
  const chance = new Chance(seed, 'faults')
  const faults = Array.from({ length: profile.faults }, (): Fault => {
    const at = 20 + chance.below(profile.horizonMs)
    const kind = chance.pick(chance.happens(0.33) ? ALL : OFTEN[profile.theme])
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
