import { describe, expect, test } from 'vitest'
import type { LogIndex, MemberId, Term } from '../../../lib/raft/core/entry.ts'
import type { Message } from '../../../lib/raft/core/messages.ts'
import { Group } from './group.ts'

const appendsTo = (group: Group, to: number): Message[] =>
  group.inFlight.filter((message) => message.type === 'MsgApp' && message.to === to)

describe('flow control', () => {
  test('no more messages are under way than the limit, and each answer makes room', () => {
    const group = new Group({ settings: { maxInflightMessages: 2 } })
    group.elect(1)
    for (const text of ['a', 'b', 'c', 'd']) group.propose(1, text)
    group.handle(1)
    expect(appendsTo(group, 2)).toHaveLength(2)
    group.settle()
    expect(group.applied(2)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('nor more bytes', () => {
    const group = new Group({ settings: { maxInflightBytes: 20, maxMessageBytes: 20 } })
    group.elect(1)
    for (let count = 0; count < 5; count++) group.propose(1, '0123456789')
    group.handle(1)
    expect(appendsTo(group, 2)).toHaveLength(2)
    group.settle()
    expect(group.applied(2)).toHaveLength(5)
  })

  test('a message holds at most so many bytes, but at least one entry', () => {
    const group = new Group({ settings: { maxMessageBytes: 60 } })
    group.elect(1)
    group.settle()
    group.crash(3)
    for (const text of ['0123456789', '0123456789', '0123456789', 'x'.repeat(100)]) group.propose(1, text)
    group.settle()
    group.restart(3)
    group.tick(1)
    const sizes: number[] = []
    for (let busy = true; busy; ) {
      for (const id of group.ids) group.handle(id)
      for (const message of group.inFlight) if (message.type === 'MsgApp' && message.to === 3) sizes.push(message.entries.length)
      busy = group.deliver() > 0
    }
    expect(Math.max(...sizes)).toBe(2)
    expect(group.applied(3)).toHaveLength(4)
  })

  test('proposed data that is not applied yet is bounded; what is refused is certainly not executed', () => {
    const group = new Group({ settings: { maxUncommittedBytes: 10 } })
    group.elect(1)
    expect(group.propose(1, '0123456789ABCDEF')).toMatchObject({ outcome: 'appended', index: 2, term: 1 })
    expect(group.propose(1, 'x')).toEqual({ outcome: 'dropped', reason: 'too-much-uncommitted', lead: 1 })
    group.settle()
    expect(group.propose(1, 'y')).toMatchObject({ outcome: 'appended', index: 3 })
    group.settle()
    expect(group.applied(2)).toEqual(['0123456789ABCDEF', 'y'])
  })

  test('committed entries are handed out in portions, the next when the last is applied', () => {
    const group = new Group({ voters: [1], settings: { maxApplyingBytes: 40 } })
    group.elect(1)
    group.core(1).propose(...[1, 2, 3].map((byte) => new Uint8Array([byte])))
    group.host(1).log.write(undefined, undefined, group.core(1).ready().entries)
    group.core(1).advance()
    const portions: number[] = []
    while (group.core(1).hasReady()) {
      portions.push(group.core(1).ready().committedEntries.length)
      group.core(1).advance()
    }
    expect(portions).toEqual([2, 1])
  })

  test('a member that cannot be reached is probed with single messages until it answers', () => {
    const group = new Group()
    group.elect(1)
    group.core(1).reportUnreachable(3 as MemberId)
    for (const text of ['a', 'b', 'c']) group.propose(1, text)
    group.handle(1)
    expect(appendsTo(group, 2)).toHaveLength(3)
    expect(appendsTo(group, 3)).toHaveLength(1)
    group.settle()
    expect(group.applied(3)).toEqual(['a', 'b', 'c'])
  })

  test('a message lost on the way is made good after the next heartbeat', () => {
    const group = new Group({ settings: { maxInflightMessages: 1 } })
    group.elect(1)
    group.propose(1, 'a')
    group.handle(1)
    group.drop((message) => message.to === 3)
    group.settle()
    expect(group.applied(3)).toEqual([])
    for (let times = 0; times < 3; times++) {
      group.tick(1)
      group.settle()
    }
    expect(group.applied(3)).toEqual(['a'])
  })
})

describe('proposals', () => {
  test('several at once get consecutive places and travel together', () => {
    const group = new Group()
    group.elect(1)
    const bytes = ['a', 'b', 'c'].map((text) => new TextEncoder().encode(text))
    expect(group.core(1).propose(...bytes)).toEqual({ outcome: 'appended', index: 4, term: 1 })
    group.handle(1)
    expect(appendsTo(group, 2)).toHaveLength(1)
    group.settle()
    expect(group.applied(3)).toEqual(['a', 'b', 'c'])
  })

  test('followers answer with a hint who leads, and pass on only if asked to', () => {
    const dropping = new Group()
    expect(dropping.propose(2, 'a')).toEqual({ outcome: 'dropped', reason: 'no-leader', lead: 0 })
    dropping.elect(1)
    expect(dropping.propose(2, 'a')).toEqual({ outcome: 'dropped', reason: 'not-leader', lead: 1 })
    const forwarding = new Group({ settings: { disableProposalForwarding: false } })
    forwarding.elect(1)
    expect(forwarding.propose(2, 'a')).toEqual({ outcome: 'forwarded', to: 1 })
    forwarding.settle()
    expect(forwarding.applied(3)).toEqual(['a'])
  })
})

describe('snapshots (thesis §5.1)', () => {
  function untilSnapshot(): Group {
    const group = new Group()
    group.elect(1)
    group.crash(3)
    for (const text of ['a', 'b', 'c']) group.propose(1, text)
    group.settle()
    group.host(1).log.compact(3 as LogIndex)
    group.restart(3)
    group.tick(1)
    group.settle([1, 3])
    return group
  }

  test('a follower that needs entries which are gone gets a snapshot, and then the log from there', () => {
    const group = untilSnapshot()
    expect(group.host(3).log.firstIndex()).toBeGreaterThan(1)
    group.propose(1, 'd')
    group.settle()
    expect(group.applied(3)).toEqual(['d'])
    expect(group.core(3).status()).toMatchObject({ commit: 5, applied: 5 })
  })

  test('nothing else is sent meanwhile; a report of failure starts over with the next heartbeat', () => {
    const group = new Group()
    group.elect(1)
    group.crash(3)
    for (const text of ['a', 'b', 'c']) group.propose(1, text)
    group.settle()
    group.host(1).log.compact(3 as LogIndex)
    group.restart(3)
    const roundTrip = (): void => {
      group.tick(1)
      for (let times = 0; times < 4; times++) {
        for (const id of [1, 3]) group.handle(id)
        group.drop((message) => message.type === 'MsgSnap')
        group.deliver()
      }
    }
    roundTrip()
    expect(group.core(1).status().progress[2]).toMatchObject({ state: 'snapshot', pendingSnapshot: 4, match: 1 })
    group.propose(1, 'd')
    group.handle(1)
    expect(appendsTo(group, 3)).toEqual([])
    group.core(1).reportSnapshot(3 as MemberId, 'failed')
    expect(group.core(1).status().progress[2]).toMatchObject({ state: 'probe', next: 2 })
    for (let times = 0; times < 3; times++) {
      group.tick(1)
      group.settle()
    }
    expect(group.core(3).status().commit).toBe(5)
  })

  test('one that is older than what the follower has committed is ignored', () => {
    const group = untilSnapshot()
    const before = group.core(3).status()
    const snapshot = group.host(1).log.snapshot()
    if (!snapshot) throw new Error('no snapshot')
    const old = { ...snapshot, index: 2 as LogIndex }
    group.core(3).step({ type: 'MsgSnap', from: 1 as MemberId, to: 3 as MemberId, term: before.term, snapshot: old })
    group.handle(3)
    expect(group.core(3).status()).toEqual(before)
    expect(group.inFlight).toMatchObject([{ type: 'MsgAppResp', index: before.commit, reject: false }])
  })

  test('one that ends within the follower’s log only tells it what is committed: what follows is kept', () => {
    const group = new Group({ voters: [1, 2], logs: { 1: [1, 1, 1, 1], 2: [1, 1, 1, 1] } })
    const { configuration } = group.core(2).status()
    const snapshot = { index: 2 as LogIndex, term: 1 as Term, configuration, data: new Uint8Array(0) }
    group.core(2).step({ type: 'MsgSnap', from: 1 as MemberId, to: 2 as MemberId, term: 1 as Term, snapshot })
    group.handle(2)
    expect(group.core(2).status()).toMatchObject({ commit: 2, lastIndex: 4 })
    expect(group.terms(2)).toEqual([1, 1, 1, 1])
  })

  test('asynchronous storage: it may overtake a configuration change, which is not made a second time then', () => {
    const group = new Group({ voters: [1, 2], strangers: [3, 4], settings: { asyncStorageWrites: true } })
    group.elect(1)
    group.change(1, [
      ['add-voter', 3],
      ['remove', 2],
    ])
    group.settle()
    const later = group.host(1).log.snapshot()
    const core = group.core(4)
    if (!later) throw new Error('no snapshot')
    const change = group.host(1).applied.find(({ kind }) => kind === 'conf-change')
    core.step({ type: 'MsgSnap', from: 1 as MemberId, to: 4 as MemberId, term: 2 as Term, snapshot: later })
    expect(later.configuration).toMatchObject({ voters: [1, 3], votersOutgoing: [] })
    expect(change && core.applyConfChange(change)).toEqual(later.configuration)
  })

  test('one from before the follower was added is as good: the change that adds it follows in the log', () => {
    const group = new Group({ voters: [1, 2], strangers: [3] })
    group.elect(1)
    group.propose(1, 'a')
    group.settle()
    const old = group.host(1).log.snapshot()
    group.change(1, [['add-voter', 3]])
    group.settle([1, 2])
    group.host(1).log.latestSnapshot = () => old
    group.tick(1)
    group.settle()
    expect(old?.configuration.voters).toEqual([1, 2])
    expect(group.core(3).status()).toMatchObject({ lead: 1, commit: 4, configuration: { voters: [1, 2, 3] } })
  })
})
