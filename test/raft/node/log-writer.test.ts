import { describe, expect, test } from 'vitest'
import { NO_MEMBERS } from '../../../lib/raft/core/configuration.ts'
import { type Entry, type HardState, type LogIndex, NO_DATA, type Snapshot, type Term } from '../../../lib/raft/core/entry.ts'
import type { MsgStorageAppend } from '../../../lib/raft/core/messages.ts'
import { LogFailure } from '../../../lib/raft/log/failure.ts'
import type { RaftLog } from '../../../lib/raft/log/log.ts'
import { LogWriter } from '../../../lib/raft/node/log-writer.ts'

const hardState = (term: number): HardState => ({ term: term as Term, vote: 0, commit: 0 as LogIndex })
const entries = (term: number, ...indexes: readonly number[]): readonly Entry[] =>
  indexes.map((index) => ({ term: term as Term, index: index as LogIndex, kind: 'normal', data: NO_DATA }))

interface Wanted {
  readonly name: string
  readonly entries?: readonly Entry[]
  readonly term?: number
  readonly mustSync?: boolean
  readonly snapshot?: number
}

/** A log whose writes end when the test says so. */
class Given {
  readonly journal: string[] = []
  readonly writer: LogWriter
  #pending: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []

  constructor() {
    const log = {
      append: ({ entries: written, hardState: state }: { entries: readonly Entry[]; hardState: HardState | undefined }) => {
        const list = written.map(({ term, index }) => `${term}.${index}`).join(' ')
        this.journal.push(`write [${list}]${state ? ` term ${state.term}` : ''}`)
        return this.#wait()
      },
    }
    this.writer = new LogWriter({
      log: log as unknown as RaftLog,
      install: (snapshot, { entries: after }) => {
        this.journal.push(`install ${snapshot.index} and ${after.length}`)
        return this.#wait()
      },
      written: (work) => this.journal.push(`written ${nameOf(work)}`),
      changed: () => undefined,
      failed: (error) => this.journal.push(`failed: ${(error as Error).message}`),
    })
  }

  #wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }))
  }

  enqueue({ name, entries: list = [], term, mustSync = true, snapshot }: Wanted): void {
    const work = {
      type: 'MsgStorageAppend',
      entries: list,
      hardState: term === undefined ? undefined : hardState(term),
      snapshot: snapshot === undefined ? undefined : snapshotAt(snapshot),
      mustSync,
      responses: [name],
    }
    this.writer.enqueue(work as unknown as MsgStorageAppend)
  }

  /** The write that is under way ends. */
  async end(error?: unknown): Promise<void> {
    const next = this.#pending.shift()
    if (error === undefined) next?.resolve()
    else next?.reject(error)
    await new Promise<void>(setImmediate)
  }
}

const nameOf = ({ responses }: MsgStorageAppend): string => String(responses[0])
const snapshotAt = (index: number): Snapshot => ({
  index: index as LogIndex,
  term: 1 as Term,
  configuration: NO_MEMBERS,
  data: NO_DATA,
})

describe('the writes of the log', () => {
  test('group commit: all that comes while one write is under way goes with the next', async () => {
    const given = new Given()
    given.enqueue({ name: 'a', entries: entries(1, 2) })
    given.enqueue({ name: 'b', entries: entries(1, 3) })
    given.enqueue({ name: 'c', entries: entries(1, 4), term: 1 })
    await given.end()
    await given.end()
    expect(given.journal).toEqual(['write [1.2]', 'written a', 'write [1.3 1.4] term 1', 'written b', 'written c'])
  })

  test('nobody hears of anything before it is durable', async () => {
    const given = new Given()
    given.enqueue({ name: 'vote', term: 3 })
    expect(given.journal).toEqual(['write [] term 3'])
    await given.end()
    expect(given.journal.at(-1)).toBe('written vote')
  })

  test('what comes later replaces what it overlaps, as if each had been written alone', async () => {
    const given = new Given()
    given.enqueue({ name: 'first', term: 1 })
    given.enqueue({ name: 'old', entries: entries(1, 2, 3, 4) })
    given.enqueue({ name: 'new', entries: entries(2, 3) })
    await given.end()
    await given.end()
    expect(given.journal).toContain('write [1.2 2.3]')
  })

  test('a commit index is not worth a write of its own: it goes with the next', async () => {
    const given = new Given()
    given.enqueue({ name: 'commit', term: 5, mustSync: false })
    await given.end()
    expect(given.journal).toEqual(['written commit'])
    given.enqueue({ name: 'entry', entries: entries(5, 2) })
    expect(given.journal.at(-1)).toBe('write [5.2] term 5')
  })

  test('a snapshot goes alone, with what follows it', async () => {
    const given = new Given()
    given.enqueue({ name: 'a', entries: entries(1, 2) })
    given.enqueue({ name: 'snapshot', snapshot: 9, entries: entries(1, 10) })
    given.enqueue({ name: 'b', entries: entries(1, 11) })
    expect(given.writer.isInstalling).toBe(true)
    await given.end()
    await given.end()
    await given.end()
    expect(given.journal).toEqual([
      'write [1.2]',
      'written a',
      'install 9 and 1',
      'written snapshot',
      'write [1.11]',
      'written b',
    ])
    expect(given.writer.isBusy).toBe(false)
  })

  test('a full disk: nothing is acknowledged, nothing is lost; when there is room, all of it is written', async () => {
    const given = new Given()
    given.enqueue({ name: 'a', entries: entries(1, 2) })
    await given.end(new LogFailure('LOG_FULL', 'no room'))
    expect(given.writer.isFull).toBe(true)
    given.enqueue({ name: 'b', entries: entries(1, 3) })
    given.writer.retry()
    await given.end()
    expect(given.journal).toEqual(['write [1.2]', 'write [1.2 1.3]', 'written a', 'written b'])
    expect(given.writer.isFull).toBe(false)
  })

  test('a dead disk ends the member; after that nothing is acknowledged', async () => {
    const given = new Given()
    given.enqueue({ name: 'a', entries: entries(1, 2) })
    await given.end(new LogFailure('LOG_DEAD', 'EIO'))
    given.writer.stop()
    given.enqueue({ name: 'b', entries: entries(1, 3) })
    await given.end()
    expect(given.journal).toEqual(['write [1.2]', 'failed: EIO'])
  })
})
