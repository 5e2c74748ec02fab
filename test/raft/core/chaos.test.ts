import { describe, expect, test } from 'vitest'
import type { RaftSettings } from '../../../lib/raft/core/options.ts'
import { Chaos } from './chaos.ts'

const SEEDS = process.env['ALONCE_LONG'] ? 2000 : 50

/** Every seed has its own mixture of what can be switched on or limited. */
const settingsOf = (seed: number): Partial<RaftSettings> => ({
  preVote: seed % 2 === 0,
  checkQuorum: seed % 3 !== 0,
  disableProposalForwarding: seed % 2 === 1,
  maxMessageBytes: seed % 5 === 0 ? 20 : 1_000_000,
  maxApplyingBytes: seed % 4 === 0 ? 20 : 1_000_000,
  maxInflightMessages: 1 + (seed % 7),
})

describe.each([false, true])(
  'loss, repetition, reordering, cuts, crashes, changes; asynchronous storage: %s',
  (asyncStorageWrites) => {
    test(`${SEEDS} seeds: the safety properties of figure 3 hold, reads are linearizable, and the group recovers`, () => {
      const counts = new Map<string, number>()
      for (let seed = 1; seed <= SEEDS; seed++) {
        const chaos = new Chaos(seed, { ...settingsOf(seed), asyncStorageWrites })
        try {
          chaos.run(6000)
          expect(chaos.recovers(), 'the group recovers').toBe(true)
        } catch (error) {
          throw new Error(`Seed ${seed} failed`, { cause: error })
        }
        for (const [name, count] of Object.entries(chaos.counts)) counts.set(name, (counts.get(name) ?? 0) + count)
      }
      // A run in which nothing happens proves nothing.
      for (const [name, least] of Object.entries({ elections: 2, decided: 10, reads: 4, crashes: 5, changes: 2 })) {
        expect(counts.get(name), name).toBeGreaterThan(least * SEEDS)
      }
      expect(counts.get('snapshots')).toBeGreaterThan(SEEDS / 10)
    })

    test('the same seed does the same', () => {
      const [once, again] = [1, 2].map(() => {
        const chaos = new Chaos(7, { ...settingsOf(7), asyncStorageWrites })
        chaos.run(3000)
        return chaos.counts
      })
      expect(once).toEqual(again)
    })
  },
)
