import { describe, expect, test } from 'vitest'
import type { MemberId } from '../../../lib/raft/core/entry.ts'
import { Group } from './group.ts'

const TO_2 = 2 as MemberId
const TO_3 = 3 as MemberId

describe('leadership transfer (thesis §3.10)', () => {
  test('the other is brought up to date first, then told to stand', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.settle([1, 2])
    group.tick(1)
    group.core(1).transferLeader(TO_3)
    group.handle(1)
    expect(group.inFlight.map(({ type }) => type)).not.toContain('MsgTimeoutNow')
    group.settle()
    expect(group.role(3)).toBe('leader')
    expect(group.applied(3)).toEqual(['a'])
  })

  test('others vote for it though they hear the leader, and it asks nobody before', () => {
    const group = new Group({ settings: { checkQuorum: true, preVote: true } })
    group.elect(1)
    group.core(1).transferLeader(TO_2)
    group.settle()
    expect(group.core(2).status()).toMatchObject({ role: 'leader', term: 2 })
  })

  test('meanwhile the leader takes no proposals; after an election timeout it does again', () => {
    const group = new Group({ settings: { electionTicks: 10 } })
    group.elect(1)
    group.crash(2)
    group.core(1).transferLeader(TO_2)
    expect(group.propose(1, 'a')).toEqual({ outcome: 'dropped', reason: 'transferring', lead: 1 })
    group.tick(1, 9)
    expect(group.propose(1, 'a')).toMatchObject({ outcome: 'dropped' })
    group.tick(1)
    expect(group.propose(1, 'a')).toMatchObject({ outcome: 'appended' })
  })

  test('a follower passes the wish on; to learners, strangers and the leader itself nothing is handed over', () => {
    const group = new Group({ voters: [1, 2, 3], learners: [4] })
    group.elect(1)
    for (const id of [4, 9, 1]) {
      group.core(1).transferLeader(id as MemberId)
      expect(group.core(1).status().transferee).toBe(0)
    }
    group.core(3).transferLeader(TO_2)
    group.settle()
    expect(group.role(2)).toBe('leader')
  })

  test('another wish replaces the first', () => {
    const group = new Group()
    group.elect(1)
    group.core(1).transferLeader(TO_2)
    group.core(1).transferLeader(TO_3)
    group.handle(1)
    group.drop((message) => message.to === 2)
    group.settle()
    expect(group.role(3)).toBe('leader')
  })

  test('who is removed meanwhile is not waited for', () => {
    const group = new Group({ voters: [1, 2, 3, 4] })
    group.elect(1)
    group.change(1, [['remove', 4]])
    group.handle(1)
    group.core(1).transferLeader(4 as MemberId)
    group.settle([1, 2, 3])
    expect(group.core(1).status().transferee).toBe(0)
  })
})

describe('forgetting a leader', () => {
  test('lets another be elected at once', () => {
    const group = new Group({ settings: { checkQuorum: true } })
    group.elect(1)
    group.crash(1)
    group.core(2).campaign()
    group.settle()
    expect(group.role(2)).toBe('candidate')
    group.core(3).forgetLeader()
    group.core(2).campaign()
    group.settle()
    expect(group.role(2)).toBe('leader')
  })

  test('not when reads rely on the lease', () => {
    const group = new Group({ settings: { checkQuorum: true, readMode: 'lease-based' } })
    group.elect(1)
    group.core(3).forgetLeader()
    expect(group.core(3).status().lead).toBe(1)
  })
})
