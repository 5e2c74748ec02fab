import { describe, expect, test } from 'vitest'
import { encodeConfChange } from '../../lib/raft/core/conf-change.ts'
import { type Configuration, NO_MEMBERS } from '../../lib/raft/core/configuration.ts'
import type { Entry, LogIndex, MemberId, Term } from '../../lib/raft/core/entry.ts'
import type { RaftStatus } from '../../lib/raft/core/status.ts'
import { encodeBatch } from '../../lib/raft/node/batch.ts'
import { MemoryLog } from '../raft/core/memory-log.ts'
import { Configurations } from './configurations.ts'
import { Invariants } from './invariants.ts'
import { FIRST_PROBE } from './observers.ts'
import { Promises } from './promises.ts'

const [one, two, three] = [1, 2, 3] as MemberId[] as [MemberId, MemberId, MemberId]
const founders = [one, two, three]
const configuration: Configuration = { ...NO_MEMBERS, voters: founders }
const snapshot = { index: 1 as LogIndex, term: 1 as Term, configuration, data: new Uint8Array(0) }

const entry = (index: number, term: number, data: Uint8Array = new Uint8Array(0)): Entry => ({
  index: index as LogIndex,
  term: term as Term,
  kind: 'normal',
  data,
})

/** A disk whose entries, from index 2 on, are of these terms. */
function disk(...terms: readonly number[]): MemoryLog {
  const log = new MemoryLog(snapshot)
  log.write(
    undefined,
    undefined,
    terms.map((term, place) => entry(2 + place, term)),
  )
  return log
}

function status(id: MemberId, at: { readonly term: number; readonly commit: number; readonly last: number }): RaftStatus {
  const { term, commit, last } = at
  const role = id === one ? 'leader' : 'follower'
  const whole = {
    id,
    term,
    vote: one,
    commit,
    lead: one,
    role,
    applied: 1,
    lastIndex: last,
    configuration,
    transferee: 0,
    progress: [],
  }
  return whole as unknown as RaftStatus
}

const at = { index: 1 as LogIndex, configuration }

describe('a commit', () => {
  /** The paper's figure 8 with three members: 1 brings its entry of term 2 to 3, while 2 has one of term 3. */
  function figure8(ofOne: readonly number[], ofThree: readonly number[], commit: number): () => void {
    const invariants = new Invariants(founders)
    invariants.check(status(two, { term: 3, commit: 1, last: 2 }), disk(3), at)
    invariants.check(status(three, { term: 4, commit: 1, last: 1 + ofThree.length }), disk(...ofThree), at)
    return () => invariants.check(status(one, { term: 4, commit, last: 1 + ofOne.length }), disk(...ofOne), at)
  }

  test('of an old term is too early, though a majority has it: another may be elected that lacks it', () => {
    expect(figure8([2], [2], 2)).toThrow('member 2 lacks it, and could be elected')
    expect(figure8([2, 4], [2, 4], 3)).not.toThrow()
  })

  test('without a majority of disks is none', () => {
    expect(figure8([2, 4], [2], 3)).toThrow('no majority has it')
  })
})

describe('a command that is sent once', () => {
  const command = { session: FIRST_PROBE, sequence: 1, acknowledged: 0, payload: new Uint8Array(0) }
  const data = encodeBatch({ version: 1, timeMs: 0, commands: [command] })

  test('is "not executed" if it is in no log, or its place is taken', () => {
    new Promises(() => undefined).told(FIRST_PROBE, 'not-executed')
    const promises = new Promises(() => 3)
    promises.placed(entry(2, 2, data))
    expect(() => promises.told(FIRST_PROBE, 'not-executed')).not.toThrow()
  })

  test('may be executed yet as long as its entry is in some log', () => {
    const promises = new Promises(() => undefined)
    promises.placed(entry(2, 2, data))
    expect(() => promises.told(FIRST_PROBE, 'not-executed')).toThrow('may be committed yet')
  })

  test('is not executed after that was denied, nor twice', () => {
    const promises = new Promises(() => undefined)
    promises.told(FIRST_PROBE, 'not-executed')
    expect(() => promises.decided(entry(2, 2, data))).toThrow('told not to be executed')
    const others = new Promises(() => undefined)
    others.decided(entry(2, 2, data))
    expect(() => others.decided(entry(3, 2, data))).toThrow('was before')
  })
})

describe('a configuration', () => {
  test('follows from the changes that were decided, at their places', () => {
    const configurations = new Configurations(founders)
    const removal = encodeConfChange({ transition: 'auto', changes: [{ type: 'remove', id: three }], context: '' })
    configurations.decided({ ...entry(5, 2, removal), kind: 'conf-change' })
    const without = { ...configuration, voters: [one, two] }
    expect(() => configurations.demandAt(one, 4, configuration)).not.toThrow()
    expect(() => configurations.demandAt(one, 5, without)).not.toThrow()
    expect(() => configurations.demandAt(one, 5, configuration)).toThrow('others voters=(1 2)')
    expect(() => configurations.demandKnown(one, { ...configuration, voters: [two] })).toThrow('never decided')
  })
})
