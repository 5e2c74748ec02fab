import { describe, expect, test } from 'vitest'
import type { Entry, LogIndex, MemberId, Term } from '../../../lib/raft/core/entry.ts'
import type { Proposed } from '../../../lib/raft/core/proposal.ts'
import type { RaftCore } from '../../../lib/raft/core/raft-core.ts'
import { commandBytes, decodeBatch } from '../../../lib/raft/node/batch.ts'
import type { CommandOutcome } from '../../../lib/raft/node/outcome.ts'
import { Proposals } from '../../../lib/raft/node/proposals.ts'
import { bytes, text } from './text.ts'

const LEAD = 7 as MemberId
const STAMP = { timeMs: 40, version: 1, maxBatchBytes: 10_000, deadline: 100 }
const COMMAND = { session: 1, sequence: 1, acknowledged: 0, payload: bytes('hello') }
const EXECUTED = { outcome: 'executed', reply: bytes('done') } as const

/** A core that puts what it is given into its log, or answers as it is told. */
class FakeCore {
  readonly entries: Entry[] = []
  term = 2 as Term
  last = 0
  refuses: Proposed | undefined

  get core(): RaftCore {
    return this as unknown as RaftCore
  }

  propose(...data: readonly Uint8Array[]): Proposed {
    if (this.refuses) return this.refuses
    for (const each of data) this.entries.push({ term: this.term, index: ++this.last as LogIndex, kind: 'normal', data: each })
    return { outcome: 'appended', term: this.term, index: this.last as LogIndex }
  }

  /** What was committed at `index` in `term`, whoever proposed it. */
  decided(index: number, term: number): Entry {
    return { term: term as Term, index: index as LogIndex, kind: 'normal', data: bytes('x') }
  }
}

function given(maxPending = 100): {
  readonly fake: FakeCore
  readonly proposals: Proposals
  readonly heard: CommandOutcome[]
  readonly add: (count: number) => void
} {
  const heard: CommandOutcome[] = []
  const proposals = new Proposals(maxPending)
  const add = (count: number): void => {
    for (let i = 0; i < count; i++) proposals.add(COMMAND, (outcome) => heard.push(outcome))
  }
  return { fake: new FakeCore(), proposals, heard, add }
}

describe('commands on their way through the log', () => {
  test('all that came in one turn share one entry, one stamp and one version, in their order', () => {
    const { fake, proposals } = given()
    for (const name of ['a', 'b', 'c']) proposals.add({ ...COMMAND, payload: bytes(name) }, () => undefined)
    proposals.propose(fake.core, STAMP)
    expect(fake.entries).toHaveLength(1)
    const { timeMs, version, commands } = decodeBatch((fake.entries[0] as Entry).data)
    expect({ timeMs, version, names: commands.map(({ payload }) => text(payload)) }).toEqual({
      timeMs: 40,
      version: 1,
      names: ['a', 'b', 'c'],
    })
    expect(proposals.hasCollected).toBe(false)
  })

  test('what is too much for one entry goes into several, proposed together', () => {
    const { fake, proposals, heard, add } = given()
    add(5)
    proposals.propose(fake.core, { ...STAMP, maxBatchBytes: 2 * commandBytes(COMMAND) })
    expect(fake.entries.map(({ data }) => decodeBatch(data).commands.length)).toEqual([2, 2, 1])
    proposals.applied(fake.entries[2] as Entry, [EXECUTED], LEAD)
    expect(heard).toEqual([{ ...EXECUTED, index: 3 }])
  })

  test('nobody is answered before the entry is applied, then each with its own answer', () => {
    const { fake, proposals, heard, add } = given()
    add(2)
    proposals.propose(fake.core, STAMP)
    expect(heard).toEqual([])
    proposals.applied(fake.entries[0] as Entry, [EXECUTED, { outcome: 'session-unknown' }], LEAD)
    expect(heard).toEqual([{ ...EXECUTED, index: 1 }, { outcome: 'session-unknown' }])
  })

  test('more than may wait, collected or proposed, is "not executed": overloaded', () => {
    const { fake, proposals, heard, add } = given(3)
    add(2)
    proposals.propose(fake.core, STAMP)
    add(2)
    expect(heard).toEqual([{ outcome: 'not-executed', reason: 'overloaded', lead: 0 }])
    proposals.applied(fake.entries[0] as Entry, [EXECUTED, EXECUTED], LEAD)
    add(1)
    expect(heard).toHaveLength(3)
  })

  test('who does not lead says so, and who does', () => {
    const { fake, proposals, heard, add } = given()
    fake.refuses = { outcome: 'dropped', reason: 'no-leader', lead: LEAD } as unknown as Proposed
    add(1)
    proposals.propose(fake.core, STAMP)
    expect(heard).toEqual([{ outcome: 'not-executed', reason: 'not-leader', lead: LEAD }])
  })

  test('a leader whose log has too much that is not committed is overloaded, not deposed', () => {
    const { fake, proposals, heard, add } = given()
    fake.refuses = { outcome: 'dropped', reason: 'too-much-uncommitted', lead: LEAD }
    add(1)
    proposals.propose(fake.core, STAMP)
    expect(heard).toEqual([{ outcome: 'not-executed', reason: 'overloaded', lead: LEAD }])
  })

  test("another leader's entry at the same place: certainly not executed", () => {
    const { fake, proposals, heard, add } = given()
    add(1)
    proposals.propose(fake.core, STAMP)
    proposals.applied(fake.decided(1, 3), [EXECUTED], LEAD)
    expect(heard).toEqual([{ outcome: 'not-executed', reason: 'superseded', lead: LEAD }])
  })

  test('an own entry that replaces an own earlier one proves nothing of the earlier one (figure 8): unknown', () => {
    const { fake, proposals, heard, add } = given()
    add(1)
    proposals.propose(fake.core, STAMP)
    fake.last = 0
    fake.term = 4 as Term
    add(1)
    proposals.propose(fake.core, STAMP)
    expect(heard).toEqual([{ outcome: 'unknown' }])
    proposals.applied(fake.decided(1, 4), [EXECUTED], LEAD)
    expect(heard).toEqual([{ outcome: 'unknown' }, { ...EXECUTED, index: 1 }])
  })

  test('when patience ends, or a snapshot skips the entry, nobody knows the outcome', () => {
    const { fake, proposals, heard, add } = given()
    add(1)
    proposals.propose(fake.core, STAMP)
    proposals.expire(99)
    expect(heard).toEqual([])
    proposals.expire(100)
    add(1)
    proposals.propose(fake.core, STAMP)
    proposals.skippedTo(1 as LogIndex)
    expect(heard).toEqual([{ outcome: 'unknown' }])
    proposals.skippedTo(2 as LogIndex)
    expect(heard).toEqual([{ outcome: 'unknown' }, { outcome: 'unknown' }])
    proposals.applied(fake.entries[0] as Entry, [EXECUTED], LEAD)
    expect(heard).toHaveLength(2)
  })

  test('at the end: what was only collected was not executed, of what was proposed nobody knows', () => {
    const { fake, proposals, heard, add } = given()
    add(1)
    proposals.propose(fake.core, STAMP)
    add(1)
    proposals.stop()
    expect(heard).toEqual([{ outcome: 'not-executed', reason: 'not-leader', lead: 0 }, { outcome: 'unknown' }])
  })
})
