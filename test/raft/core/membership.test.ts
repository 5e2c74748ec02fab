import { describe, expect, test } from 'vitest'
import type { MemberChangeType } from '../../../lib/raft/core/conf-change.ts'
import { decodeConfChange, encodeConfChange, LEAVE_JOINT } from '../../../lib/raft/core/conf-change.ts'
import { decodeConfiguration, encodeConfiguration } from '../../../lib/raft/core/configuration.ts'
import type { LogIndex, MemberId } from '../../../lib/raft/core/entry.ts'
import { Group } from './group.ts'

type Change = readonly [MemberChangeType, number]

describe('one change at a time (thesis §4.1)', () => {
  test('a newcomer gets a snapshot or the log, and counts once the change is in force', () => {
    const group = new Group({ strangers: [4] })
    group.elect(1)
    group.change(1, [['add-voter', 4]])
    group.settle()
    expect(group.core(4).status()).toMatchObject({ lead: 1, configuration: { voters: [1, 2, 3, 4] } })
    group.propose(1, 'a')
    group.settle([1, 2])
    expect(group.applied(1)).toEqual([])
  })

  test('a second change is refused while one is not applied', () => {
    const group = new Group({ strangers: [4, 5] })
    group.elect(1)
    expect(group.change(1, [['add-voter', 4]])).toMatchObject({ outcome: 'appended' })
    expect(group.change(1, [['add-voter', 5]])).toMatchObject({ outcome: 'refused' })
    group.settle()
    expect(group.core(1).status().configuration.voters).toEqual([1, 2, 3, 4])
  })

  test('so is one by a new leader that may have inherited one', () => {
    const group = new Group({ strangers: [4, 5] })
    group.elect(1)
    group.change(1, [['add-voter', 4]])
    group.handle(1)
    group.deliver((message) => message.to === 2)
    group.handle(2)
    group.drop()
    group.crash(1)
    group.core(2).campaign()
    group.handle(2)
    group.deliver((message) => message.type === 'MsgVote' && message.to === 3)
    group.handle(3)
    group.deliver((message) => message.type === 'MsgVoteResp')
    expect(group.role(2)).toBe('leader')
    expect(group.change(2, [['add-voter', 5]])).toMatchObject({ outcome: 'refused' })
  })

  test('a change that would leave no voter is refused before it gets into the log', () => {
    const group = new Group({ voters: [1] })
    group.elect(1)
    expect(group.change(1, [['remove', 1]])).toEqual({ outcome: 'refused', reason: 'removed all voters' })
    group.settle()
    expect(group.core(1).status().configuration.voters).toEqual([1])
  })

  test('§4.2.2: a leader that removes itself steps down when the change is in force; the others elect one', () => {
    const group = new Group()
    group.elect(1)
    group.change(1, [['remove', 1]])
    group.settle()
    expect(group.core(1).status()).toMatchObject({ role: 'follower', configuration: { voters: [2, 3] } })
    group.core(1).campaign()
    expect(group.role(1)).toBe('follower')
    group.tick(2, 20)
    group.settle()
    expect(group.role(2)).toBe('leader')
  })

  test('if nobody heard that the change is committed before it stepped down, its refusal tells them', () => {
    const group = new Group({ voters: [1, 2] })
    group.elect(1)
    group.change(1, [['remove', 1]])
    group.propose(1, 'x')
    group.handle(1)
    group.drop((message) => message.type === 'MsgApp' && message.prevLogIndex === 2)
    group.deliver()
    group.handle(2)
    group.deliver()
    group.handle(1)
    group.drop()
    expect(group.core(1).status()).toMatchObject({ role: 'follower', commit: 2, lastIndex: 3 })
    expect(group.core(2).status()).toMatchObject({ commit: 1, lastIndex: 2 })
    // Its own vote is not enough, and the longer log of 1 refuses.
    for (const role of ['follower', 'leader']) {
      group.core(2).campaign()
      group.settle()
      expect(group.role(2)).toBe(role)
    }
    expect(group.core(2).status().configuration.voters).toEqual([2])
  })

  test('a candidate that learns from a vote that it has been removed gives up, whoever else may vote for it', () => {
    const group = new Group({ voters: [1, 2, 3] })
    group.elect(1)
    group.change(1, [['remove', 3]])
    group.handle(1)
    group.deliver()
    for (const id of [2, 3]) group.handle(id)
    group.deliver()
    group.handle(1)
    group.drop()
    // 3 has the entry, but has not heard that it is committed.
    group.core(3).campaign()
    group.handle(3)
    expect(group.role(3)).toBe('candidate')
    group.deliver()
    group.handle(1)
    group.deliver()
    group.handle(3)
    expect(group.core(3).status()).toMatchObject({ role: 'follower', configuration: { voters: [1, 2] } })
    group.settle()
    expect(group.role(3)).toBe('follower')
  })

  test('§4.2.1: learners receive everything and count for nothing', () => {
    const group = new Group({ voters: [1, 2], learners: [3] })
    group.elect(1)
    group.propose(1, 'a')
    group.settle([1, 3])
    expect(group.applied(1)).toEqual([])
    group.core(3).campaign()
    expect(group.role(3)).toBe('follower')
    group.change(1, [['add-voter', 3]])
    group.tick(1)
    group.settle()
    expect(group.core(3).status().configuration).toMatchObject({ voters: [1, 2, 3], learners: [] })
    expect(group.applied(3)).toEqual(['a'])
  })
})

/**
 * Ongaro, "bug in single-server membership changes" (raft-dev, 2015): with changes in force as soon as they are in the log,
 * two leaders in turn could each commit with a majority of its own, the two having nobody in common. S1 proposes the first
 * change and is cut off; S2 is elected and proposes the second; S1 returns.
 */
describe('the bug in single-server membership changes (thesis §4.1; found in 2015), in its three orders', () => {
  const orders: readonly { readonly name: string; readonly first: Change; readonly second: Change }[] = [
    { name: 'add and remove', first: ['add-voter', 5], second: ['remove', 1] },
    { name: 'add and add', first: ['add-voter', 5], second: ['add-voter', 6] },
    { name: 'remove and remove', first: ['remove', 2], second: ['remove', 1] },
  ]

  function untilSecondChange(first: Change, second: Change): Group {
    const group = new Group({ voters: [1, 2, 3, 4], strangers: [5, 6] })
    group.elect(1)
    group.change(1, [first])
    group.settle([1, 5])
    group.elect(2, [2, 3, 4, 5, 6])
    group.change(2, [second])
    return group
  }

  /** S1 has not noticed that it leads no more; as a follower it can stand again. */
  function resurrect(group: Group): void {
    group.crash(1)
    group.restart(1)
  }

  test.each(orders)('$name: the second change needs a majority that the first leader needs too', ({ first, second }) => {
    const group = untilSecondChange(first, second)
    const { commit, configuration } = group.core(2).status()
    group.settle([2, 3, 5, 6])
    // Of the new configuration S2, S3 (and S6) are a majority; of the one in force they are none.
    expect(group.core(2).status()).toMatchObject({ commit, configuration })
    resurrect(group)
    for (let times = 0; times < 3; times++) {
      group.core(1).campaign()
      group.settle([1, 4, 5])
      expect(group.role(1)).not.toBe('leader')
    }
    group.settle()
    group.core(2).campaign()
    group.settle()
    group.tick(2, 5)
    group.settle()
    expect(group.leader).toBeDefined()
  })

  test.each(orders)('$name: once the second is committed, the first leader cannot win', ({ first, second }) => {
    const group = untilSecondChange(first, second)
    group.settle([2, 3, 4, 6])
    expect(group.core(2).status().configuration.voters).not.toEqual([1, 2, 3, 4])
    resurrect(group)
    for (let times = 0; times < 3; times++) {
      group.core(1).campaign()
      group.settle([1, 3, 4, 5])
      expect(group.role(1)).not.toBe('leader')
    }
    expect(group.host(1).applied.some(({ kind }) => kind === 'conf-change')).toBe(false)
  })

  test.each(orders)(
    '$name: S1, elected before anyone heard of the second, decides the first, and the second is gone',
    (order) => {
      const group = new Group({ voters: [1, 2, 3, 4], strangers: [5, 6] })
      group.elect(1)
      group.change(1, [order.first])
      group.settle([1, 5])
      group.core(2).campaign()
      group.handle(2)
      group.deliver(({ to }) => to !== 1)
      for (const id of [3, 4]) group.handle(id)
      group.deliver(({ type }) => type === 'MsgVoteResp')
      expect(group.change(2, [order.second])).toMatchObject({ outcome: 'appended' })
      group.handle(2)
      group.drop()
      for (const id of [1, 2]) {
        group.crash(id)
        group.restart(id)
      }
      for (let times = 0; times < 3 && group.role(1) !== 'leader'; times++) {
        group.core(1).campaign()
        group.settle()
      }
      expect(group.role(1)).toBe('leader')
      const decided = group.ids.flatMap((id) => group.host(id).applied.filter(({ kind }) => kind === 'conf-change'))
      expect(decided.length).toBeGreaterThan(2)
      for (const { data } of decided) {
        expect(decodeConfChange(data).changes).toEqual([{ type: order.first[0], id: order.first[1] }])
      }
    },
  )
})

describe('joint consensus (thesis §4.3, the paper §6)', () => {
  function jointly(): Group {
    const group = new Group({ voters: [1, 2, 3], strangers: [4, 5, 6] })
    group.elect(1)
    const changes: Change[] = [2, 3].map((id) => ['remove', id])
    for (const id of [4, 5]) changes.push(['add-voter', id])
    group.change(1, changes, 'explicit')
    group.settle()
    expect(group.core(1).status().configuration).toMatchObject({ voters: [1, 4, 5], votersOutgoing: [1, 2, 3] })
    return group
  }

  test.each([
    { among: [1, 2, 3], why: 'a majority of the old alone', committed: false },
    { among: [1, 4, 5], why: 'a majority of the new alone', committed: false },
    { among: [1, 2, 4], why: 'a majority of each', committed: true },
  ])('committing takes a majority of each: $why', ({ among, committed }) => {
    const group = jointly()
    group.propose(1, 'a')
    group.settle(among)
    expect(group.applied(1)).toEqual(committed ? ['a'] : [])
  })

  test.each([
    { among: [2, 3, 5], elected: false },
    { among: [3, 4, 5], elected: false },
    { among: [2, 3, 4, 5], elected: true },
  ])('so does an election: $among', ({ among, elected }) => {
    const group = jointly()
    group.crash(1)
    group.core(3).campaign()
    group.settle(among)
    expect(group.role(3) === 'leader').toBe(elected)
  })

  test('leaving it puts the new configuration in force alone', () => {
    const group = jointly()
    group.core(1).proposeConfChange(LEAVE_JOINT)
    group.settle()
    expect(group.core(1).status().configuration).toMatchObject({ voters: [1, 4, 5], votersOutgoing: [] })
    group.propose(1, 'a')
    group.settle([1, 4])
    expect(group.applied(1)).toEqual(['a'])
  })

  test('with automatic transition the leader leaves it by itself, and a new leader does if the old one is gone', () => {
    const group = new Group({ voters: [1, 2, 3], strangers: [4] })
    group.elect(1)
    group.change(1, [
      ['remove', 3],
      ['add-voter', 4],
    ])
    for (const id of [1, 2, 3]) {
      group.handle(id)
      group.deliver()
    }
    group.handle(1)
    group.drop((message) => message.type !== 'MsgApp')
    group.deliver()
    group.handle(2)
    group.drop()
    group.crash(1)
    group.core(2).campaign()
    group.settle()
    for (let ticks = 0; ticks < 3; ticks++) {
      group.tick(2)
      group.settle()
    }
    expect(group.core(2).status()).toMatchObject({ role: 'leader', configuration: { voters: [1, 2, 4], votersOutgoing: [] } })
  })

  test('a voter that becomes a learner waits until the old configuration is left', () => {
    const group = new Group({ voters: [1, 2, 3] })
    group.elect(1)
    group.change(
      1,
      [
        ['add-learner', 3],
        ['add-voter', 2],
      ],
      'explicit',
    )
    group.settle()
    expect(group.core(1).status().configuration).toMatchObject({ learners: [], learnersNext: [3], votersOutgoing: [1, 2, 3] })
    group.core(1).proposeConfChange(LEAVE_JOINT)
    group.settle()
    expect(group.core(1).status().configuration).toMatchObject({ voters: [1, 2], learners: [3], learnersNext: [] })
  })
})

describe('who stands for election by which configuration', () => {
  test('nobody who knows of a committed change that it has not applied', () => {
    const group = new Group({ strangers: [4], settings: { maxApplyingBytes: 1 } })
    group.elect(1)
    group.propose(1, 'a')
    group.change(1, [['add-voter', 4]])
    group.handle(1)
    group.deliver()
    group.handle(2)
    group.deliver()
    group.handle(1)
    group.deliver()
    // 'a' comes first, and has not been applied yet.
    expect(group.core(2).ready().committedEntries).toHaveLength(1)
    group.core(2).campaign()
    expect(group.role(2)).toBe('follower')
    group.core(2).advance()
    group.handle(2)
    group.core(2).campaign()
    expect(group.role(2)).toBe('candidate')
  })

  test('but who has forgotten entries has applied them, even if it was not told yet', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    for (const id of [1, 2, 1]) {
      group.handle(id)
      group.deliver()
    }
    const { committedEntries } = group.core(2).ready()
    expect(committedEntries.length).toBeGreaterThan(0)
    group.host(2).log.compact(committedEntries.at(-1)?.index as LogIndex)
    group.core(2).campaign()
    expect(group.role(2)).toBe('candidate')
  })
})

describe('configuration changes as data', () => {
  test('survive the log; leaving a joint configuration takes no byte', () => {
    const change = {
      transition: 'implicit',
      changes: [{ type: 'add-learner', id: 7 as MemberId }],
      context: '10.0.0.7:4000',
    } as const
    expect(decodeConfChange(encodeConfChange(change))).toEqual(change)
    expect(encodeConfChange(LEAVE_JOINT)).toHaveLength(0)
    expect(decodeConfChange(new Uint8Array(0))).toEqual(LEAVE_JOINT)
  })

  test('so does a configuration, in a snapshot’s head', () => {
    const group = new Group({ voters: [1, 2], learners: [7] })
    const { configuration } = group.core(1).status()
    const joint = { ...configuration, votersOutgoing: [2, 3] as MemberId[], learnersNext: [3] as MemberId[], autoLeave: true }
    for (const each of [configuration, joint]) expect(decodeConfiguration(encodeConfiguration(each))).toEqual(each)
    for (const broken of [
      '',
      '{}',
      '[]',
      '{"voters":[0],"votersOutgoing":[],"learners":[],"learnersNext":[],"autoLeave":false}',
    ]) {
      expect(() => decodeConfiguration(new TextEncoder().encode(broken)), broken).toThrow('cannot be read')
    }
  })

  test('what cannot be read stops the member', () => {
    expect(() => decodeConfChange(new Uint8Array([123]))).toThrow('cannot be read')
    expect(() => decodeConfChange(new TextEncoder().encode('{"transition":"auto","changes":[["grow",1]],"context":""}'))).toThrow(
      'cannot be read',
    )
  })
})
