import { describe, expect, test } from 'vitest'
import type { MemberId, Term } from '../../../lib/raft/core/entry.ts'
import type { PeerMessage } from '../../../lib/raft/node/ports.ts'
import { type Reign, Versions, VersionUnknown } from '../../../lib/raft/node/versions.ts'

const ids = (...list: readonly number[]): readonly MemberId[] => list as readonly MemberId[]

/** Member 1 leads 2, 3 and the learner 4. */
class Given {
  readonly sent: PeerMessage[] = []
  readonly versions: Versions
  members = ids(1, 2, 3, 4)
  term = 5 as Term
  inForce = 1

  constructor(knows: number) {
    const network = { send: (message: PeerMessage) => this.sent.push(message) }
    this.versions = new Versions({ id: 1 as MemberId, network, knows, askTicks: 4 })
  }

  get reign(): Reign {
    return { term: this.term, members: () => this.members, inForce: this.inForce }
  }

  ticks(count: number): void {
    for (let i = 0; i < count; i++) this.versions.tick(this.reign)
  }

  answer(from: number, knows: number, term: number = this.term): void {
    this.versions.answered({ type: 'VersionAnswer', from: from as MemberId, to: 1 as MemberId, term: term as Term, knows })
  }

  asked(): readonly number[] {
    return this.sent.splice(0).map(({ to }) => to)
  }
}

describe('newer transitions', () => {
  test('come into force when every member, learners too, has said that it knows them', () => {
    const given = new Given(2)
    given.ticks(1)
    expect(given.asked()).toEqual([2, 3, 4])
    given.answer(2, 2)
    given.answer(3, 2)
    expect(given.versions.isDue(given.reign)).toBe(false)
    expect(given.versions.next(given.reign)).toBe(1)
    given.answer(4, 2)
    expect(given.versions.isDue(given.reign)).toBe(true)
    expect(given.versions.next(given.reign)).toBe(2)
  })

  test('the oldest program decides how far', () => {
    const given = new Given(5)
    given.ticks(1)
    for (const [id, knows] of [
      [2, 4],
      [3, 3],
      [4, 5],
    ] as const)
      given.answer(id, knows)
    expect(given.versions.next(given.reign)).toBe(3)
  })

  test('once an entry carries the new version all later ones do, before it is applied and whoever falls silent', () => {
    const given = new Given(2)
    given.ticks(1)
    for (const id of [2, 3, 4]) given.answer(id, 2)
    given.versions.stamped(given.versions.next(given.reign))
    expect(given.versions.isDue(given.reign)).toBe(false)
    given.ticks(100)
    expect(given.versions.next(given.reign)).toBe(2)
  })

  test('an entry of an earlier reign may have come to nothing: only what is in force counts', () => {
    const given = new Given(2)
    given.ticks(1)
    for (const id of [2, 3, 4]) given.answer(id, 2)
    given.versions.stamped(2)
    given.term = 7 as Term
    expect(given.versions.next(given.reign)).toBe(1)
    given.answer(2, 2, 5)
    given.answer(3, 2)
    given.answer(4, 2)
    expect(given.versions.next(given.reign)).toBe(1)
    given.answer(2, 2)
    expect(given.versions.next(given.reign)).toBe(2)
  })

  test('who has not answered lately may be another program by now', () => {
    const given = new Given(2)
    given.ticks(1)
    for (const id of [2, 3, 4]) given.answer(id, 2)
    given.ticks(12)
    expect(given.versions.next(given.reign)).toBe(2)
    given.ticks(1)
    expect(given.versions.next(given.reign)).toBe(1)
  })

  test('a group that has all there is asks each member once, and again only who did not answer', () => {
    const given = new Given(1)
    given.ticks(1)
    given.answer(2, 1)
    given.answer(3, 1)
    given.asked()
    given.ticks(4)
    expect(given.asked()).toEqual([4])
    given.answer(4, 1)
    given.ticks(100)
    expect(given.asked()).toEqual([])
  })

  test('a leader that is all of the group needs nobody', () => {
    const given = new Given(2)
    given.members = ids(1)
    expect(given.versions.isDue(given.reign)).toBe(true)
  })

  test('a member is told before it meets what it does not know, and stops', () => {
    const given = new Given(1)
    const question = { type: 'VersionQuestion', from: 2 as MemberId, to: 1 as MemberId, term: 5 as Term } as const
    given.versions.asked({ ...question, inForce: 1 })
    expect(given.sent).toEqual([{ type: 'VersionAnswer', from: 1, to: 2, term: 5, knows: 1 }])
    expect(() => given.versions.asked({ ...question, inForce: 2 })).toThrow(VersionUnknown)
  })
})
