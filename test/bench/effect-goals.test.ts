import { expect, test } from 'vitest'
import { type Asked, effectGoals } from '../../bench/report/effect-goals.ts'

const fair = { contenders: 10, holdMs: 500, served: 10, drainMs: 5200, idealMs: 5050, writesPerGrant: 3 }
const EFFECTS: readonly Asked[] = [
  { case: 'permit, the first ever of its key', requests: 2 },
  { case: 'shared lock, the first ever of its key', requests: 2 },
  { case: 'permit, beside one that this process holds', requests: 1 },
  { case: 'shared lock, of a key that this process has used', requests: 1 },
  { case: 'two locks together, of keys that this process has used', requests: 1 },
  { case: 'operation with one write in transact(), begin to end', requests: 2 },
]

const missed = (effects: readonly Asked[], queue: Partial<typeof fair> = {}): string[] =>
  effectGoals(effects, { ...fair, ...queue })
    .filter(({ met }) => !met)
    .map(({ what }) => what)

test('the goals of effects are met by the worst of the cases that they are about', () => {
  expect(missed(EFFECTS)).toEqual([])
  const slower = [...EFFECTS, { case: 'permit, of a key that this process has used', requests: 2 }]
  expect(missed(slower)).toEqual(['Requests for one whose key the process knows'])
})

test('a queue that has not served all has met nothing, however quick it was', () => {
  const [writes, time] = [/writes a grant$/, /time to drain$/]
  expect(missed(EFFECTS, { served: 9 })).toEqual([expect.stringMatching(writes), expect.stringMatching(time)])
  expect(missed(EFFECTS, { drainMs: 6000 })).toEqual([expect.stringMatching(time)])
  expect(missed(EFFECTS, { writesPerGrant: 4.4 })).toEqual([expect.stringMatching(writes)])
})
