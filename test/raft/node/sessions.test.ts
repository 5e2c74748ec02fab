import { describe, expect, test } from 'vitest'
import type { Command } from '../../../lib/raft/node/batch.ts'
import { Sessions } from '../../../lib/raft/node/sessions.ts'
import { bytes, numberIn, text } from './text.ts'

const LIMITS = { maxSessions: 3, maxAhead: 4 }

/** Executes by counting: whoever is executed twice shows. */
function counting(): { readonly count: () => number; readonly execute: (payload: Uint8Array) => Uint8Array } {
  let executed = 0
  return { count: () => executed, execute: (payload) => bytes(`${text(payload)} #${++executed}`) }
}

const command = (session: number, sequence: number, acknowledged = sequence - 1): Command => ({
  session,
  sequence,
  acknowledged,
  payload: bytes(`c${sequence}`),
})

const replied = (reply: string): object => ({ outcome: 'executed', reply: bytes(reply) })

describe('sessions (thesis §6.3)', () => {
  test('a command that arrives twice is executed once, and answered twice alike', () => {
    const { execute, count } = counting()
    const sessions = new Sessions(LIMITS)
    const id = numberIn(sessions.open(10))
    expect(sessions.answer(command(id, 1), execute)).toEqual(replied('c1 #1'))
    expect(sessions.answer(command(id, 1), execute)).toEqual(replied('c1 #1'))
    expect(count()).toBe(1)
  })

  test('a ghost, older than what its client has an answer to, is not executed', () => {
    const { execute, count } = counting()
    const sessions = new Sessions(LIMITS)
    const id = numberIn(sessions.open(10))
    sessions.answer(command(id, 1), execute)
    sessions.answer(command(id, 2), execute)
    expect(sessions.answer(command(id, 1, 0), execute)).toEqual({ outcome: 'answered' })
    expect(count()).toBe(2)
  })

  test('several may be under way, in any order, but not without limit', () => {
    const { execute } = counting()
    const sessions = new Sessions(LIMITS)
    const id = numberIn(sessions.open(10))
    expect(sessions.answer(command(id, 3, 0), execute)).toEqual(replied('c3 #1'))
    expect(sessions.answer(command(id, 1, 0), execute)).toEqual(replied('c1 #2'))
    expect(sessions.answer(command(id, 4, 0), execute)).toEqual(replied('c4 #3'))
    expect(sessions.answer(command(id, 5, 0), execute)).toEqual({ outcome: 'too-far-ahead' })
    expect(sessions.answer(command(id, 5, 1), execute)).toEqual(replied('c5 #4'))
  })

  test('an id is the place in the log where it was opened, or the next free one', () => {
    const sessions = new Sessions(LIMITS)
    expect([10, 10, 50].map((index) => numberIn(sessions.open(index)))).toEqual([10, 11, 50])
  })

  test('the one not used for longest goes, and its retry is told so, not executed', () => {
    const { execute, count } = counting()
    const sessions = new Sessions(LIMITS)
    const [a, b, c] = [1, 2, 3].map((index) => numberIn(sessions.open(index))) as [number, number, number]
    sessions.answer(command(a, 1), execute)
    sessions.open(4)
    expect(sessions.answer(command(b, 1), execute)).toEqual({ outcome: 'session-unknown' })
    expect(sessions.answer(command(a, 1), execute)).toEqual(replied('c1 #1'))
    expect(sessions.answer(command(c, 1), execute)).toEqual(replied('c1 #2'))
    expect(count()).toBe(2)
  })

  test('from a snapshot they know what they knew, and evict whom they would have evicted', () => {
    const { execute, count } = counting()
    const sessions = new Sessions(LIMITS)
    const [a, b, c] = [1, 2, 3].map((index) => numberIn(sessions.open(index))) as [number, number, number]
    for (const id of [c, a, b]) sessions.answer(command(id, 1), execute)
    const restored = Sessions.restore(LIMITS, [...sessions.snapshot()])
    for (const each of [sessions, restored]) {
      expect(numberIn(each.open(1))).toBe(4)
      expect(each.answer(command(c, 1), execute)).toEqual({ outcome: 'session-unknown' })
      expect(each.answer(command(a, 1), execute)).toEqual(replied('c1 #2'))
    }
    expect(count()).toBe(3)
  })

  test('a snapshot is of the moment at which it was asked for, however late it is written', () => {
    const { execute } = counting()
    const sessions = new Sessions(LIMITS)
    const id = numberIn(sessions.open(1))
    sessions.answer(command(id, 1), execute)
    const pieces = sessions.snapshot()
    sessions.answer(command(id, 2), execute)
    sessions.open(2)
    const restored = Sessions.restore(LIMITS, [...pieces])
    expect(restored.count).toBe(1)
    expect(restored.answer(command(id, 2), execute)).toEqual(replied('c2 #3'))
  })
})
