import { describe, expect, test } from 'vitest'
import { type Entry, type LogIndex, type MemberId, NO_HARD_STATE, type Term } from '../../../lib/raft/core/entry.ts'
import type { MsgVote } from '../../../lib/raft/core/messages.ts'
import { RaftCore } from '../../../lib/raft/core/raft-core.ts'
import { Group } from './group.ts'
import { MemoryLog } from './memory-log.ts'

describe('leader election (thesis §3.4, the paper §5.2)', () => {
  test('a follower that hears nothing stands for election, in the next term', () => {
    const group = new Group()
    group.tick(2, 20)
    expect(group.core(2).status()).toMatchObject({ role: 'candidate', term: 1, vote: 2 })
  })

  test('timeouts are spread between one and two election timeouts', () => {
    for (const id of [1, 5, 9]) {
      const group = new Group({ voters: [1, 5, 9], settings: { electionTicks: 10 } })
      group.tick(id, 10 + id - 1)
      expect(group.role(id)).toBe('follower')
      group.tick(id)
      expect(group.role(id)).toBe('candidate')
    }
  })

  test('one vote for each term, first come, first served', () => {
    const group = new Group()
    group.core(1).campaign()
    group.core(2).campaign()
    group.settle([1])
    group.core(3).step(voteRequest({ from: 1, to: 3, term: 1 }))
    group.core(3).step(voteRequest({ from: 2, to: 3, term: 1 }))
    group.handle(3)
    expect(group.inFlight).toMatchObject([
      { type: 'MsgVoteResp', to: 1, reject: false },
      { type: 'MsgVoteResp', to: 2, reject: true },
    ])
  })

  test('the same candidate gets its vote again: its first answer may have been lost', () => {
    const group = new Group()
    for (let times = 0; times < 2; times++) group.core(3).step(voteRequest({ from: 1, to: 3, term: 1 }))
    group.handle(3)
    expect(group.inFlight).toMatchObject([{ reject: false }, { reject: false }])
  })

  test('a candidate that hears a leader of its term follows it; one of a later term deposes a leader', () => {
    const group = new Group()
    group.elect(1)
    group.core(2).campaign()
    group.settle([1, 3])
    expect(group.core(2).status()).toMatchObject({ role: 'candidate', term: 2 })
    group.settle()
    group.core(2).campaign()
    group.settle()
    expect(group.core(1).status()).toMatchObject({ role: 'follower', lead: 2 })
  })

  test('§3.6.1: only a log that is at least as up to date gets a vote: the later last term, then the greater length', () => {
    const cases: readonly (readonly [readonly number[], readonly number[], boolean])[] = [
      [[1, 1], [1, 2], false],
      [[1, 2], [1, 1, 1], true],
      [[1, 1], [1, 1], true],
      [[1, 1], [1, 1, 1], false],
      [[1, 1, 1], [1, 1], true],
    ]
    for (const [candidate, voter, granted] of cases) {
      const group = new Group({ voters: [1, 2], logs: { 1: candidate, 2: voter } })
      group.core(1).campaign()
      group.settle()
      expect(group.role(1) === 'leader', `${candidate} asks ${voter}`).toBe(granted)
    }
  })
})

describe('votes are durable before they are given (thesis §3.8)', () => {
  test('synchronous storage: the vote is in the hard state of the same Ready, which has to be flushed', () => {
    const core = member(2)
    core.step(voteRequest({ from: 1, to: 2, term: 5 }))
    const ready = core.ready()
    expect(ready.hardState).toEqual({ term: 5, vote: 1, commit: 0 })
    expect(ready.mustSync).toBe(true)
    expect(ready.messages).toMatchObject([{ type: 'MsgVoteResp', to: 1, reject: false }])
  })

  test('so it is when the term is known already', () => {
    const core = member(2)
    core.step({ type: 'MsgHeartbeat', from: 1 as MemberId, to: 2 as MemberId, term: 5 as Term, commit: 0 as LogIndex, round: 0 })
    expect(core.ready()).toMatchObject({ mustSync: true, hardState: { term: 5, vote: 0 } })
    core.advance()
    core.forgetLeader()
    core.step(voteRequest({ from: 3, to: 2, term: 5 }))
    expect(core.ready()).toMatchObject({ mustSync: true, hardState: { term: 5, vote: 3 } })
  })

  test('asynchronous storage: the vote is a response to the write, and nothing else', () => {
    const core = member(2, { asyncStorageWrites: true })
    core.step(voteRequest({ from: 1, to: 2, term: 5 }))
    const ready = core.ready()
    expect(ready.messages).toEqual([])
    expect(ready.storageAppend).toMatchObject({ mustSync: true, hardState: { term: 5, vote: 1 } })
    expect(ready.storageAppend?.responses).toMatchObject([{ type: 'MsgVoteResp', to: 1, reject: false }])
  })

  test('asynchronous storage: an answer that comes later waits for a vote that is still being written', () => {
    const core = member(2, { asyncStorageWrites: true })
    core.step(voteRequest({ from: 1, to: 2, term: 5 }))
    core.ready()
    core.step(voteRequest({ from: 3, to: 2, term: 5 }))
    const ready = core.ready()
    expect(ready.messages).toEqual([])
    expect(ready.storageAppend?.responses).toMatchObject([{ type: 'MsgVoteResp', to: 3, reject: true }])
  })

  test('a restarted member remembers its vote', () => {
    const group = new Group()
    group.core(3).step(voteRequest({ from: 1, to: 3, term: 1 }))
    group.handle(3)
    group.crash(3)
    group.restart(3)
    group.core(3).step(voteRequest({ from: 2, to: 3, term: 1 }))
    group.handle(3)
    expect(group.inFlight).toMatchObject([{ type: 'MsgVoteResp', to: 2, reject: true }])
  })

  test('a candidate does not lead before its own vote is durable, though the others suffice: after a crash it could win again', () => {
    const core = member(1, { asyncStorageWrites: true }, [1, 2, 3, 4, 5])
    core.campaign()
    const { storageAppend } = core.ready()
    for (const from of [2, 3, 4])
      core.step({ type: 'MsgVoteResp', from: from as MemberId, to: 1 as MemberId, term: 1 as Term, reject: false, ...NO_PROOF })
    expect(core.status().role).toBe('candidate')
    for (const response of storageAppend?.responses ?? []) core.step(response)
    expect(core.status().role).toBe('leader')
  })
})

describe('pre-vote (thesis §9.6)', () => {
  const settings = { preVote: true, checkQuorum: true }

  test('asking changes neither the term nor the vote, on either side', () => {
    const group = new Group({ settings })
    group.core(1).campaign()
    group.handle(1)
    group.deliver()
    group.handle(2)
    for (const id of [1, 2, 3]) expect(group.core(id).status()).toMatchObject({ term: 0, vote: 0 })
    group.settle()
    expect(group.core(1).status()).toMatchObject({ role: 'leader', term: 1 })
  })

  test('a member that was cut off returns without disturbing anyone, however long it tried', () => {
    const group = new Group({ settings })
    group.elect(1)
    group.tick(3, 1000)
    group.settle([1, 2])
    group.tick(3, 30)
    group.settle()
    expect(group.core(1).status()).toMatchObject({ role: 'leader', term: 1 })
    expect(group.core(3).status().term).toBe(1)
  })

  test('control: without it the same member forces a new term on the group', () => {
    const group = new Group({ settings: { preVote: false, checkQuorum: false } })
    group.elect(1)
    group.tick(3, 1000)
    group.settle()
    expect(group.core(1).status().term).toBeGreaterThan(1)
  })

  test('whoever is behind does not even get to stand', () => {
    const group = new Group({ settings: { preVote: true, checkQuorum: false } })
    group.elect(1)
    group.propose(1, 'a')
    group.settle([1, 2])
    group.core(3).campaign()
    group.settle([2, 3])
    expect(group.core(3).status()).toMatchObject({ role: 'pre-candidate', term: 1 })
  })
})

describe('disruptive servers (thesis §4.2.3, the paper §6)', () => {
  test.each([
    { checkQuorum: true, deposed: false },
    { checkQuorum: false, deposed: true },
  ])(
    'a removed member that was not told stands for election; with checkQuorum $checkQuorum the leader is deposed: $deposed',
    (each) => {
      const group = new Group({ settings: { checkQuorum: each.checkQuorum } })
      group.elect(1)
      group.change(1, [['remove', 3]])
      group.settle([1, 2])
      group.tick(1)
      group.settle([1, 2])
      group.tick(3, 40)
      group.settle()
      expect(group.core(1).status().role === 'follower' || group.core(1).status().term > 1).toBe(each.deposed)
    },
  )

  test('once the leader is not heard any more, votes are given again', () => {
    const group = new Group({ settings: { checkQuorum: true, electionTicks: 10 } })
    group.elect(1)
    group.crash(1)
    group.tick(3, 9)
    group.core(2).campaign()
    group.settle()
    expect(group.role(2)).toBe('candidate')
    group.tick(3)
    group.core(2).campaign()
    group.settle()
    expect(group.role(2)).toBe('leader')
  })
})

describe('check quorum (thesis §6.2)', () => {
  test('a leader that is cut off steps down within two election timeouts', () => {
    const group = new Group({ settings: { checkQuorum: true, electionTicks: 10 } })
    group.elect(1)
    group.tick(1, 20)
    expect(group.core(1).status()).toMatchObject({ role: 'follower', lead: 0 })
  })

  test('one that hears a majority leads on', () => {
    const group = new Group({ settings: { checkQuorum: true, electionTicks: 10 } })
    group.elect(1)
    for (let ticks = 0; ticks < 100; ticks++) {
      group.tick(1)
      group.settle([1, 2])
    }
    expect(group.role(1)).toBe('leader')
  })
})

function member(id: number, settings = {}, voters = [1, 2, 3]): RaftCore {
  return new RaftCore({
    preVote: false,
    checkQuorum: false,
    ...settings,
    id: id as MemberId,
    log: new MemoryLog(),
    hardState: NO_HARD_STATE,
    configuration: { voters: voters as MemberId[], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
    applied: 0 as LogIndex,
    fraction: () => 0,
  })
}

const NO_PROOF = { commit: 0 as LogIndex, commitTerm: 0 as Term }

function voteRequest({ from, to, term, last }: { from: number; to: number; term: number; last?: Entry }): MsgVote {
  const [lastLogIndex, lastLogTerm] = [last?.index ?? (0 as LogIndex), last?.term ?? (0 as Term)]
  return {
    type: 'MsgVote',
    from: from as MemberId,
    to: to as MemberId,
    term: term as Term,
    lastLogIndex,
    lastLogTerm,
    transfer: false,
    ...NO_PROOF,
  }
}
