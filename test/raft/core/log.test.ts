import { describe, expect, test } from 'vitest'
import type { LogIndex, MemberId, Term } from '../../../lib/raft/core/entry.ts'
import { RaftInvariantError } from '../../../lib/raft/core/invariant.ts'
import type { Message, MsgApp } from '../../../lib/raft/core/messages.ts'
import { entriesOf, Group } from './group.ts'

const isAppendTo =
  (to: number, last?: number) =>
  (message: Message): boolean =>
    message.type === 'MsgApp' &&
    message.to === to &&
    (last === undefined || message.prevLogIndex + message.entries.length === last)

describe('log replication (thesis §3.5, the paper §5.3)', () => {
  test('an entry is committed once a majority has it, and then applied everywhere', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.settle([1, 2])
    expect(group.applied(1)).toEqual(['a'])
    expect(group.applied(3)).toEqual([])
    group.tick(1)
    group.settle()
    expect([1, 2, 3].map((id) => group.applied(id))).toEqual([['a'], ['a'], ['a']])
  })

  test('without a majority nothing is committed', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.settle([1])
    expect(group.applied(1)).toEqual([])
  })

  test('messages that come late, twice or in the wrong order change nothing', () => {
    const group = new Group({ settings: { maxMessageBytes: 1 } })
    group.elect(1)
    for (const text of ['a', 'b', 'c']) group.propose(1, text)
    group.handle(1)
    const copies = [...group.inFlight]
    group.inFlight.reverse()
    group.settle()
    group.inFlight.push(...copies)
    group.settle()
    for (let times = 0; times < 3; times++) {
      group.tick(1)
      group.settle()
    }
    expect([1, 2, 3].map((id) => group.applied(id))).toEqual([1, 2, 3].map(() => ['a', 'b', 'c']))
    expect(group.terms(3)).toEqual(group.terms(1))
  })

  test('a refusal or an acknowledgement of what was known already moves nothing', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.settle()
    const before = group.core(1).status().progress
    const answer = { type: 'MsgAppResp', from: 2 as MemberId, to: 1 as MemberId, term: 1 as Term, hintTerm: 0 as Term } as const
    group.core(1).step({ ...answer, index: 1 as LogIndex, hintIndex: 0 as LogIndex, reject: true })
    group.core(1).step({ ...answer, index: 1 as LogIndex, hintIndex: 0 as LogIndex, reject: false })
    expect(group.core(1).status().progress).toEqual(before)
  })

  test('a late message with fewer entries cuts nothing off: only a conflict does', () => {
    const group = new Group({ voters: [1, 2] })
    const message = append({ term: 1, entries: 3 })
    group.core(2).step(message)
    group.core(2).step({ ...message, entries: message.entries.slice(0, 1) })
    group.handle(2)
    expect(group.terms(2)).toEqual([1, 1, 1])
  })

  test('a follower commits nothing beyond what it knows to agree with the leader', () => {
    const group = new Group({ voters: [1, 2], logs: { 1: [1, 2, 2], 2: [1, 1, 1] } })
    group.core(2).step({ ...append({ term: 3, entries: 1, of: 1 }), commit: 3 as LogIndex })
    expect(group.core(2).status().commit).toBe(1)
  })

  test('a leader that is elected again knows nothing of what others hold: they may have lost it since', () => {
    const group = new Group()
    group.elect(1)
    group.propose(1, 'a')
    group.settle()
    group.elect(2)
    group.core(1).campaign()
    group.handle(1)
    group.deliver()
    for (const id of [2, 3]) group.handle(id)
    group.deliver()
    expect(group.core(1).status()).toMatchObject({ role: 'leader', term: 3 })
    expect(
      group
        .core(1)
        .status()
        .progress.map(({ match }) => match),
    ).toEqual([3, 0, 0])
  })

  test('a leader would have to replace a committed entry: the member stops', () => {
    const group = new Group({ voters: [1, 2], logs: { 1: [1, 1], 2: [1, 1] }, applied: 2 })
    const heartbeat = { type: 'MsgHeartbeat', from: 2 as MemberId, to: 1 as MemberId, term: 2 as Term, round: 0 } as const
    expect(() => group.core(1).step({ ...heartbeat, commit: 3 as LogIndex })).toThrow(RaftInvariantError)
  })
})

describe('figure 7: a new leader brings every possible log up to its own', () => {
  const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
  const followers: { readonly [id: number]: readonly number[] } = {
    2: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    3: [1, 1, 1, 4],
    4: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    5: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    6: [1, 1, 1, 4, 4, 4, 4],
    7: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  }
  const options = { voters: [1, 2, 3, 4, 5, 6, 7], logs: { 1: leader, ...followers } }

  test('whoever has more than the candidate refuses its vote; the others suffice', () => {
    const group = new Group(options)
    group.core(1).campaign()
    group.handle(1)
    group.deliver()
    for (const id of [2, 3, 4, 5, 6, 7]) group.handle(id)
    const refusing = group.inFlight.filter((message) => message.type === 'MsgVoteResp' && message.reject)
    expect(refusing.map((message) => message.from)).toEqual([4, 5])
  })

  test('(a) to (f) end with the leader’s log', () => {
    const group = new Group(options)
    group.elect(1)
    for (const id of group.ids) expect(group.terms(id), `member ${id}`).toEqual([...leader, 8])
  })

  test('it takes one refusal for each term in conflict at most, not one for each entry', () => {
    const group = new Group(options)
    group.core(1).campaign()
    const refusals = new Map<number, number>()
    for (let busy = true; busy; ) {
      for (const id of group.ids) group.handle(id)
      for (const message of group.inFlight) {
        if (message.type === 'MsgAppResp' && message.reject) refusals.set(message.from, (refusals.get(message.from) ?? 0) + 1)
      }
      busy = group.deliver() > 0
    }
    expect(group.role(1)).toBe('leader')
    for (const [id, count] of refusals) expect(count, `member ${id}`).toBeLessThanOrEqual(new Set(followers[id]).size)
  })
})

describe('figure 8 and §5.4.2: entries of earlier terms are not committed by counting', () => {
  /** As in (c): S1 leads again, in term 4, and has brought its entry of term 2 to a majority, but none of its own. */
  function untilC(): Group {
    const logs = { 1: [1, 2], 2: [1, 2], 3: [1], 4: [1], 5: [1, 3] }
    const group = new Group({ voters: [1, 2, 3, 4, 5], logs, applied: 1, settings: { maxMessageBytes: 1 } })
    group.core(1).campaign()
    group.handle(1)
    group.deliver()
    for (const id of [2, 3, 4]) group.handle(id)
    group.deliver()
    group.handle(1)
    // The no-op of term 4 is lost on its way to everyone but S3, which refuses it for lack of what comes before.
    group.drop((message) => message.type === 'MsgApp' && message.to !== 3)
    group.deliver()
    group.handle(3)
    group.deliver()
    group.handle(1)
    group.deliver(isAppendTo(3, 2))
    group.handle(3)
    // S2 has the entry and says so.
    const known = { index: 2 as LogIndex, reject: false, hintIndex: 0 as LogIndex, hintTerm: 0 as Term }
    group.inFlight.push({
      type: 'MsgAppResp',
      from: 2 as MemberId,
      to: 1 as MemberId,
      term: group.core(1).status().term,
      ...known,
    })
    group.deliver((message) => message.type === 'MsgAppResp')
    return group
  }

  test('(c) an entry of term 2 on a majority is not committed by the leader of term 4', () => {
    const group = untilC()
    expect([1, 2, 3].map((id) => group.terms(id)[1])).toEqual([2, 2, 2])
    expect(
      group
        .core(1)
        .status()
        .progress.filter(({ match }) => match >= 2),
    ).toHaveLength(3)
    expect(group.core(1).status().commit).toBe(1)
  })

  test('(d) which is well so, as S5 may be elected and overwrite it', () => {
    const group = untilC()
    group.crash(1)
    group.elect(5)
    for (const id of [2, 3, 4, 5]) expect(group.terms(id)[1]).toBe(3)
  })

  test('(e) once an entry of term 4 is on a majority, both are committed and S5 cannot win', () => {
    const group = untilC()
    group.settle([1, 2, 3])
    group.tick(1)
    group.settle([1, 2, 3])
    expect(group.core(1).status().commit).toBe(3)
    group.crash(1)
    group.core(5).campaign()
    group.settle()
    group.core(5).campaign()
    group.settle()
    expect(group.role(5)).not.toBe('leader')
    expect(group.terms(3)[1]).toBe(2)
  })
})

describe('the no-op (thesis §6.4)', () => {
  test('a leader begins its term with an empty entry, and so commits what it inherited', () => {
    const group = new Group({ logs: { 1: [1, 2], 2: [1, 2], 3: [1, 2] } })
    expect(group.core(1).status().commit).toBe(0)
    group.elect(1)
    expect(group.terms(1)).toEqual([1, 2, 3])
    expect(group.core(1).status().commit).toBe(3)
    expect(group.host(1).applied.at(-1)).toMatchObject({ term: 3, kind: 'normal', data: new Uint8Array(0) })
  })

  test('it goes in even when nothing else may: it weighs nothing', () => {
    const group = new Group({ settings: { maxUncommittedBytes: 1 } })
    group.elect(1)
    expect(group.terms(1)).toEqual([1])
  })
})

describe('what is acknowledged is durable (thesis §3.8, §10.2.1)', () => {
  const settings = { asyncStorageWrites: true }

  test('a follower acknowledges entries in response to their write', () => {
    const group = new Group({ voters: [1, 2], settings })
    group.core(2).step(append({ term: 1, entries: 1 }))
    const ready = group.core(2).ready()
    expect(ready.messages).toEqual([])
    expect(ready.storageAppend?.entries).toHaveLength(1)
    expect(ready.storageAppend?.responses[0]).toMatchObject({ type: 'MsgAppResp', to: 1, index: 1, reject: false })
  })

  test('a leader sends its entries while it writes them, but does not count itself before they are durable', () => {
    const group = new Group({ settings })
    group.elect(1)
    group.propose(1, 'a')
    const ready = group.core(1).ready()
    expect(ready.messages.filter(({ type }) => type === 'MsgApp')).toHaveLength(2)
    const acknowledged = { index: 2 as LogIndex, reject: false, hintIndex: 0 as LogIndex, hintTerm: 0 as Term }
    group.core(1).step({ type: 'MsgAppResp', from: 2 as MemberId, to: 1 as MemberId, term: 1 as Term, ...acknowledged })
    expect(group.core(1).status().commit).toBe(1)
    for (const response of ready.storageAppend?.responses ?? []) if (response.to === 1) group.core(1).step(response)
    expect(group.core(1).status().commit).toBe(2)
  })

  test('a write of an earlier term vouches for nothing: its entries may have been replaced and replaced back', () => {
    const group = new Group({ voters: [1, 2], settings })
    const core = group.core(2)
    core.step(append({ term: 1, entries: 1 }))
    const first = core.ready().storageAppend
    core.step(append({ term: 2, entries: 1 }))
    const second = core.ready().storageAppend
    core.step(append({ term: 3, entries: 1, of: 1 }))
    const third = core.ready().storageAppend
    const appended = (write: typeof first): void => {
      group.host(2).log.write(write?.hardState, write?.snapshot, write?.entries ?? [])
      for (const response of write?.responses ?? []) if (response.type === 'MsgStorageAppendResp') core.step(response)
    }
    // The log ends in the entry of the first write again; the second write has not been undone yet.
    appended(first)
    appended(second)
    expect(core.ready().storageAppend?.responses ?? []).toEqual([])
    core.step(heartbeat({ term: 3, commit: 1 }))
    expect(core.ready().committedEntries).toEqual([])
    appended(third)
    expect(core.ready().committedEntries).toHaveLength(1)
  })

  test('nor does a write of the same term whose last entry has been replaced since', () => {
    const group = new Group({ voters: [1, 2], settings })
    const core = group.core(2)
    core.step(append({ term: 1, entries: 1 }))
    core.ready()
    // Term 2 begins while the entry of term 1 is being written; then its leader replaces it.
    core.step(heartbeat({ term: 2, commit: 0 }))
    const first = core.ready().storageAppend
    core.step(append({ term: 2, entries: 1 }))
    core.ready()
    for (const response of first?.responses ?? []) if (response.type === 'MsgStorageAppendResp') core.step(response)
    core.step(heartbeat({ term: 2, commit: 1 }))
    expect(first?.responses).toMatchObject([{ type: 'MsgStorageAppendResp', term: 2, index: 1, logTerm: 1 }])
    expect(core.ready().committedEntries).toEqual([])
  })

  const heartbeat = ({ term, commit }: { term: number; commit: number }): Message => ({
    type: 'MsgHeartbeat',
    from: 1 as MemberId,
    to: 2 as MemberId,
    term: term as Term,
    commit: commit as LogIndex,
    round: 0,
  })
})

function append({ term, entries, of = term }: { term: number; entries: number; of?: number }): MsgApp {
  const envelope = { from: 1 as MemberId, to: 2 as MemberId, term: term as Term }
  const content = { entries: entriesOf(Array.from({ length: entries }, () => of)), commit: 0 as LogIndex }
  return { type: 'MsgApp', ...envelope, prevLogIndex: 0 as LogIndex, prevLogTerm: 0 as Term, ...content }
}
