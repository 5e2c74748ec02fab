import { describe, expect, test } from 'vitest'
import type { LogIndex } from '../../../lib/raft/core/entry.ts'
import { type Command, encodeBatch } from '../../../lib/raft/node/batch.ts'
import { nodeSettings } from '../../../lib/raft/node/options.ts'
import { ReplicatedState } from '../../../lib/raft/node/replicated-state.ts'
import { VersionUnknown } from '../../../lib/raft/node/versions.ts'
import { NotedMachine } from './noted-machine.ts'
import { bytes, numberIn, text } from './text.ts'

const OPEN: Command = { session: 0, sequence: 0, acknowledged: 0, payload: new Uint8Array(0) }

class Given {
  readonly machine = new NotedMachine()
  readonly state: ReplicatedState
  #index = 1

  constructor(version = 2) {
    this.state = new ReplicatedState(this.machine, nodeSettings({ version }))
  }

  apply(timeMs: number, commands: readonly Command[], version = 1): readonly string[] {
    const answers = this.state.apply(encodeBatch({ version, timeMs, commands }), ++this.#index as LogIndex)
    return answers.map((answer) => (answer.outcome === 'executed' ? text(answer.reply) : answer.outcome))
  }

  open(): number {
    const [answer] = this.state.apply(encodeBatch({ version: 1, timeMs: 0, commands: [OPEN] }), ++this.#index as LogIndex)
    return answer?.outcome === 'executed' ? numberIn(answer.reply) : Number.NaN
  }
}

const command = (session: number, sequence: number, payload: string): Command => ({
  session,
  sequence,
  acknowledged: sequence - 1,
  payload: bytes(payload),
})

describe('the replicated state', () => {
  test('all commands of a batch have one time; what is due by then is done before the first', () => {
    const given = new Given()
    const id = given.open()
    given.apply(40, [command(id, 1, 'a'), command(id, 2, 'b')])
    expect(given.machine.notes.slice(1)).toEqual(['advance to 40', 'a at 40 by 1', 'b at 40 by 1'])
  })

  test('an entry without commands only says how late it is', () => {
    const given = new Given()
    expect(given.apply(70, [])).toEqual([])
    expect(given.machine.notes).toEqual(['advance to 70'])
    expect(given.state.timeMs).toBe(70)
  })

  test('time that goes back is a broken invariant: the member stops rather than go on', () => {
    const given = new Given()
    given.apply(70, [])
    expect(() => given.apply(69, [])).toThrow('cluster time goes back from 70 to 69')
  })

  test('from a snapshot: time, version, sessions and machine are as they were when it was asked for', async () => {
    const given = new Given()
    const id = given.open()
    given.apply(40, [command(id, 1, 'a')], 2)
    const pieces = given.state.snapshot()
    given.apply(50, [command(id, 2, 'b')], 2)
    const other = new Given()
    await other.state.restore(cutInto(3, pieces))
    expect([other.state.timeMs, other.state.version]).toEqual([40, 2])
    expect(other.machine.executed).toEqual(['a'])
    expect(other.apply(60, [command(id, 1, 'a')], 2)).toEqual(['1:a'])
    expect(other.machine.executed).toEqual(['a'])
  })

  test('each entry is applied by the version that it carries, though the program knows a newer one', () => {
    const given = new Given()
    const id = given.open()
    given.apply(1, [command(id, 1, 'a')], 1)
    given.apply(2, [command(id, 2, 'b')], 2)
    expect(given.machine.notes.filter((note) => note.includes(' by '))).toEqual(['a at 1 by 1', 'b at 2 by 2'])
  })

  test('an entry of an unknown version is refused before anything of it is done, and says: upgrade', () => {
    const given = new Given(1)
    const apply = (): unknown => given.apply(70, [OPEN], 2)
    expect(apply).toThrow(VersionUnknown)
    expect(apply).toThrow(/version 2 .* up to version 1\. Nothing was skipped.*Upgrade this member/)
    expect(given.machine.notes).toEqual([])
    expect(given.state.timeMs).toBe(0)
  })

  test('so is a snapshot that was taken under it', async () => {
    const newer = new Given()
    newer.apply(70, [], 2)
    const given = new Given(1)
    await expect(given.state.restore(newer.state.snapshot())).rejects.toMatchObject({
      code: 'VERSION_UNKNOWN',
      needed: 2,
      known: 1,
    })
  })

  test('a version that goes back is a broken invariant', () => {
    const given = new Given()
    given.apply(1, [], 2)
    expect(() => given.apply(2, [], 1)).toThrow('goes back to version 1 from 2')
  })
})

/** As a log cuts a snapshot where it likes. */
function* cutInto(size: number, pieces: Iterable<Uint8Array>): Generator<Uint8Array, void, void> {
  const all = Buffer.concat([...pieces])
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size)
}
