import { describe, expect, test } from 'vitest'
import { NO_MEMBERS } from '../../../lib/raft/core/configuration.ts'
import { type Entry, type LogIndex, NO_DATA, type Term } from '../../../lib/raft/core/entry.ts'
import type { MsgStorageApply } from '../../../lib/raft/core/messages.ts'
import { Applier } from '../../../lib/raft/node/applier.ts'
import type { ReplicatedState } from '../../../lib/raft/node/replicated-state.ts'
import { bytes } from './text.ts'

const entry = (index: number, kind: Entry['kind'] = 'normal', data = bytes('x')): Entry => ({
  term: 1 as Term,
  index: index as LogIndex,
  kind,
  data,
})

class Given {
  readonly journal: string[] = []
  readonly applier: Applier
  restoring = Promise.resolve()

  constructor() {
    const state = {
      apply: (_: Uint8Array, index: LogIndex) => {
        this.journal.push(`apply ${index}`)
        return []
      },
      restore: () => this.restoring,
    }
    this.applier = new Applier(
      {
        state: state as unknown as ReplicatedState,
        observer: {},
        changeConfiguration: ({ index }) => {
          this.journal.push(`change ${index}`)
          return { ...NO_MEMBERS, voters: [] }
        },
        applied: ({ index }) => this.journal.push(`answer ${index}`),
        respond: () => this.journal.push('respond'),
      },
      { index: 1 as LogIndex, configuration: NO_MEMBERS },
    )
  }

  enqueue(...entries: readonly Entry[]): void {
    this.applier.enqueue({ entries, responses: [{}] } as unknown as MsgStorageApply)
  }
}

describe('applying', () => {
  test('in order; each entry is applied before anybody is answered, and the protocol hears of it last', () => {
    const given = new Given()
    given.enqueue(entry(2), entry(3))
    given.applier.run(10)
    expect(given.journal).toEqual(['apply 2', 'answer 2', 'apply 3', 'answer 3', 'respond'])
    expect(given.applier.at.index).toBe(3)
  })

  test('some in each turn, so that a heap of entries does not keep heartbeats waiting', () => {
    const given = new Given()
    given.enqueue(entry(2), entry(3), entry(4))
    given.enqueue(entry(5))
    given.applier.run(2)
    expect(given.applier.at.index).toBe(3)
    expect(given.journal).not.toContain('respond')
    given.applier.run(2)
    expect(given.applier.at.index).toBe(5)
    expect(given.applier.hasWork).toBe(false)
  })

  test('the empty entry of a new leader and changes of members are not for the state machine', () => {
    const given = new Given()
    given.enqueue(entry(2, 'normal', NO_DATA), entry(3, 'conf-change-v2'))
    given.applier.run(10)
    expect(given.journal).toEqual(['answer 2', 'change 3', 'answer 3', 'respond'])
  })

  test('while a snapshot is restored nothing is applied, and then nothing that it holds', async () => {
    const given = new Given()
    let done = (): void => undefined
    given.restoring = new Promise((resolve) => {
      done = resolve
    })
    const restored = given.applier.restore({ index: 3 as LogIndex, configuration: NO_MEMBERS }, [])
    given.enqueue(entry(2), entry(3), entry(4))
    given.applier.run(10)
    expect(given.journal).toEqual([])
    done()
    await restored
    given.applier.run(10)
    expect(given.journal).toEqual(['apply 4', 'answer 4', 'respond'])
  })
})
