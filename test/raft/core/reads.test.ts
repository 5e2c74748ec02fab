import { describe, expect, test } from 'vitest'
import type { MemberId } from '../../../lib/raft/core/entry.ts'
import type { Message } from '../../../lib/raft/core/messages.ts'
import { Group } from './group.ts'

const isHeartbeat = (message: Message): boolean => message.type === 'MsgHeartbeat'

describe('reads without a write (thesis §6.4)', () => {
  test('a read gets the commit index of its time, once a majority confirmed the leader', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.settle()
    expect(group.core(1).readIndex(7)).toBe('pending')
    group.handle(1)
    expect(group.host(1).reads).toEqual([])
    group.deliver((message) => message.to === 2)
    group.handle(2)
    group.deliver()
    group.handle(1)
    expect(group.host(1).reads).toEqual([{ context: 7, index: 2 }])
  })

  test('not before the leader committed an entry of its own term: its commit index may be old', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.handle(1)
    group.deliver()
    group.handle(2)
    group.deliver()
    expect(group.core(1).status().commit).toBe(2)
    // 2 has the entry, but has not heard that it is committed.
    group.crash(1)
    group.core(2).campaign()
    group.handle(2)
    group.deliver()
    group.handle(3)
    group.deliver()
    expect(group.core(2).status()).toMatchObject({ role: 'leader', commit: 1 })
    group.core(2).readIndex(7)
    group.handle(2)
    expect(group.inFlight.filter(isHeartbeat)).toEqual([])
    expect(group.host(2).reads).toEqual([])
    group.settle()
    expect(group.host(2).reads).toEqual([{ context: 7, index: 3 }])
  })

  test('a leader that was replaced without noticing answers no read', () => {
    const group = new Group({ voters: [1, 2, 3, 4, 5] })
    group.elect(1)
    group.elect(2, [2, 3, 4, 5])
    group.propose(2, 'new')
    group.settle([2, 3, 4, 5])
    expect(group.role(1)).toBe('leader')
    group.core(1).readIndex(7)
    group.settle([1])
    group.settle()
    expect(group.host(1).reads).toEqual([])
  })

  test('a read that waits when its leader is replaced is never answered, though the leader may be elected again', () => {
    const group = new Group()
    group.elect(1)
    group.core(1).readIndex(7)
    group.settle([1])
    group.elect(2)
    group.elect(1)
    group.core(1).readIndex(8)
    group.settle()
    expect(group.host(1).reads.map(({ context }) => context)).toEqual([8])
  })

  test('control: by its lease it would answer with old data', () => {
    const group = new Group({ voters: [1, 2, 3, 4, 5], settings: { readMode: 'lease-based', checkQuorum: true } })
    group.elect(1)
    for (const id of [2, 3, 4, 5]) group.tick(id, 10)
    group.elect(2, [2, 3, 4, 5])
    group.propose(2, 'new')
    group.settle([2, 3, 4, 5])
    group.core(1).readIndex(7)
    group.settle([1])
    expect(group.host(1).reads).toEqual([{ context: 7, index: 1 }])
    expect(group.core(2).status().commit).toBe(3)
  })

  test('nor does a leader trust its lease once it told another to stand: others vote without waiting', () => {
    const group = new Group({ settings: { readMode: 'lease-based', checkQuorum: true } })
    group.elect(1)
    group.core(1).transferLeader(2 as MemberId)
    group.handle(1)
    group.settle([2, 3])
    group.core(1).readIndex(7)
    group.settle([1])
    expect(group.host(1).reads).toEqual([])
  })

  test('an answer to an earlier round confirms nothing that was asked after it', () => {
    const group = new Group()
    group.elect(1)
    group.core(1).readIndex(1)
    group.handle(1)
    group.deliver()
    group.handle(2)
    // The answer to round 1 is still under way when the second read begins.
    group.core(1).readIndex(2)
    group.handle(1)
    group.deliver((message) => message.type === 'MsgHeartbeatResp')
    group.handle(1)
    expect(group.host(1).reads.map(({ context }) => context)).toEqual([1])
    group.settle()
    expect(group.host(1).reads.map(({ context }) => context)).toEqual([1, 2])
  })

  test('all reads between two Readys share one round, and a later round confirms the earlier ones', () => {
    const group = new Group()
    group.elect(1)
    for (let context = 0; context < 1000; context++) group.core(1).readIndex(context)
    group.handle(1)
    expect(group.inFlight.filter(isHeartbeat)).toHaveLength(2)
    group.drop()
    group.core(1).readIndex(1000)
    group.settle()
    expect(group.host(1).reads).toHaveLength(1001)
  })

  test('a lost round is made good by the next heartbeat', () => {
    const group = new Group()
    group.elect(1)
    group.core(1).readIndex(7)
    group.handle(1)
    group.drop()
    group.tick(1)
    group.settle()
    expect(group.host(1).reads).toHaveLength(1)
  })

  test('a follower asks the leader', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.settle()
    expect(group.core(3).readIndex(7)).toBe('pending')
    group.settle()
    expect(group.host(3).reads).toEqual([{ context: 7, index: 2 }])
    expect(group.host(1).reads).toEqual([])
  })

  test('without a leader, and beyond the limit, reads are dropped at once', () => {
    const group = new Group({ settings: { maxPendingReads: 2 } })
    expect(group.core(1).readIndex(1)).toBe('dropped')
    group.elect(1)
    expect([1, 2, 3].map((context) => group.core(1).readIndex(context))).toEqual(['pending', 'pending', 'dropped'])
    group.settle()
    expect(group.core(1).readIndex(4)).toBe('pending')
  })

  test('a leader that is alone confirms itself, but it too only after an entry of its term', () => {
    const group = new Group({ voters: [1], logs: { 1: [1, 1] } })
    group.core(1).campaign()
    group.core(1).readIndex(7)
    group.settle()
    expect(group.host(1).reads).toEqual([])
    group.core(1).readIndex(8)
    group.settle()
    expect(group.host(1).reads).toEqual([{ context: 8, index: 3 }])
  })

  test('in a joint configuration both majorities have to confirm', () => {
    const group = new Group({ voters: [1, 2, 3], strangers: [4, 5] })
    group.elect(1)
    group.change(
      1,
      [
        ['remove', 2],
        ['remove', 3],
        ['add-voter', 4],
        ['add-voter', 5],
      ],
      'explicit',
    )
    group.settle()
    group.core(1).readIndex(1)
    group.settle([1, 2, 3])
    expect(group.host(1).reads).toEqual([])
    group.tick(1)
    group.settle([1, 4])
    expect(group.host(1).reads).toHaveLength(1)
  })
})
