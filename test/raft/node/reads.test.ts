import { describe, expect, test } from 'vitest'
import type { LogIndex, MemberId } from '../../../lib/raft/core/entry.ts'
import type { RaftCore } from '../../../lib/raft/core/raft-core.ts'
import type { ReadOutcome } from '../../../lib/raft/node/outcome.ts'
import { Reads } from '../../../lib/raft/node/reads.ts'

const LEAD = 7 as MemberId
const PATIENCE = { deadline: 100, lead: LEAD }

function given(
  answer: 'pending' | 'dropped' = 'pending',
  fraction = 0,
): {
  readonly reads: Reads
  readonly questions: number[]
  readonly heard: ReadOutcome[]
  readonly core: RaftCore
  readonly add: (count: number) => void
} {
  const questions: number[] = []
  const heard: ReadOutcome[] = []
  const reads = new Reads(fraction)
  const readIndex = (context: number): string => {
    questions.push(context)
    return answer
  }
  const add = (count: number): void => {
    for (let i = 0; i < count; i++) reads.add((outcome) => heard.push(outcome))
  }
  return { reads, questions, heard, core: { readIndex } as unknown as RaftCore, add }
}

const index = (value: number): LogIndex => value as LogIndex
const ready = (at: number, timeMs: number): ReadOutcome => ({ outcome: 'ready', index: index(at), timeMs })

describe('reads without a write (thesis §6.4)', () => {
  test('a thousand that come in one turn ask one question', () => {
    const { reads, questions, heard, core, add } = given()
    add(1000)
    reads.ask(core, PATIENCE)
    expect(questions).toHaveLength(1)
    reads.answered({ context: questions[0] as number, index: index(5) })
    reads.serve(index(5), 40)
    expect(heard).toHaveLength(1000)
    expect(new Set(heard.map(({ outcome }) => outcome))).toEqual(new Set(['ready']))
  })

  test('nobody reads before the state has what was committed when the question was asked', () => {
    const { reads, questions, heard, core, add } = given()
    add(1)
    reads.ask(core, PATIENCE)
    reads.serve(index(9), 40)
    expect(heard).toEqual([])
    reads.answered({ context: questions[0] as number, index: index(10) })
    reads.serve(index(9), 40)
    expect(heard).toEqual([])
    reads.serve(index(11), 44)
    expect(heard).toEqual([ready(11, 44)])
  })

  test('an answer to a question of an earlier life is not taken for one of this life', () => {
    const before = given('pending', 0.1)
    const after = given('pending', 0.7)
    for (const { reads, core, add } of [before, after]) {
      add(1)
      reads.ask(core, PATIENCE)
    }
    after.reads.answered({ context: before.questions[0] as number, index: index(1) })
    after.reads.serve(index(1), 0)
    expect(after.heard).toEqual([])
  })

  test('without a leader it is refused at once; the caller is told whom to ask, if anybody', () => {
    const { reads, heard, core, add } = given('dropped')
    add(2)
    reads.ask(core, PATIENCE)
    const refused = { outcome: 'not-executed', reason: 'not-leader', lead: LEAD }
    expect(heard).toEqual([refused, refused])
  })

  test('when the leader changes, whoever has no index yet is refused, and who has one is still served', () => {
    const { reads, questions, heard, core, add } = given()
    add(1)
    reads.ask(core, PATIENCE)
    add(1)
    reads.ask(core, PATIENCE)
    reads.answered({ context: questions[0] as number, index: index(3) })
    reads.leaderChanged(LEAD)
    expect(heard).toEqual([{ outcome: 'not-executed', reason: 'not-leader', lead: LEAD }])
    reads.serve(index(3), 1)
    expect(heard.at(-1)).toEqual(ready(3, 1))
  })

  test('who is not answered in time is refused: a read that was not served has no effect to be unsure of', () => {
    const { reads, heard, core, add } = given()
    add(1)
    reads.ask(core, PATIENCE)
    reads.expire(99, LEAD)
    expect(heard).toEqual([])
    reads.expire(100, LEAD)
    expect(heard).toHaveLength(1)
    expect(reads.waiting).toBe(0)
  })
})
