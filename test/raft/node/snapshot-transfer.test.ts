import { describe, expect, test } from 'vitest'
import { NO_MEMBERS } from '../../../lib/raft/core/configuration.ts'
import { type LogIndex, type MemberId, NO_DATA, type Term } from '../../../lib/raft/core/entry.ts'
import type { RaftLog } from '../../../lib/raft/log/log.ts'
import { nodeSettings } from '../../../lib/raft/node/options.ts'
import type { PeerMessage, SnapshotPart, SnapshotPartResp } from '../../../lib/raft/node/ports.ts'
import { SnapshotReceiver } from '../../../lib/raft/node/snapshot-receiver.ts'
import { SnapshotSender } from '../../../lib/raft/node/snapshot-sender.ts'
import { bytes, text } from './text.ts'

const [LEADER, FOLLOWER] = [1 as MemberId, 2 as MemberId]
const settings = nodeSettings({ partTicks: 3, partAttempts: 2, maxSnapshotBytes: 10 })
const snapshot = { index: 9 as LogIndex, term: 2 as Term, configuration: NO_MEMBERS, data: NO_DATA }

const soon = (): Promise<void> => new Promise(setImmediate)

/** Both ends, and what is on the way between them. */
class Given {
  readonly sent: PeerMessage[] = []
  readonly ends: string[] = []
  readonly arrived: string[] = []
  readonly sender: SnapshotSender
  readonly receiver: SnapshotReceiver
  readonly log: { readonly snapshot: { index: number } | undefined; readSnapshot(): AsyncGenerator<Uint8Array, void, void> }

  constructor(pieces: readonly string[], latest = 9) {
    this.log = {
      snapshot: { index: latest },
      async *readSnapshot() {
        for (const piece of pieces) yield bytes(piece)
      },
    }
    const network = { send: (message: PeerMessage) => this.sent.push(message) }
    const ended = (to: MemberId, how: string): unknown => this.ends.push(`${to} ${how}`)
    const failed = (error: unknown): void => {
      throw error
    }
    this.sender = new SnapshotSender({ log: this.log as unknown as RaftLog, network, settings, ended, failed }, 0.5)
    this.receiver = new SnapshotReceiver({
      id: FOLLOWER,
      network,
      settings,
      complete: ({ snapshot: { index } }, all) => this.arrived.push(`${index}: ${all.map(text).join('|')}`),
    })
  }

  begin(): Promise<void> {
    this.sender.begin({ type: 'MsgSnap', from: LEADER, to: FOLLOWER, term: 3 as Term, snapshot })
    return soon()
  }

  part(place = -1): SnapshotPart {
    return this.sent.filter(({ type }) => type === 'SnapshotPart').at(place) as SnapshotPart
  }

  answer(): SnapshotPartResp {
    return this.sent.findLast(({ type }) => type === 'SnapshotPartResp') as SnapshotPartResp
  }
}

describe('a snapshot on its way', () => {
  test('goes piece by piece, the next when the last was taken, and is told complete at both ends', async () => {
    const given = new Given(['aa', 'bb', 'cc'])
    await given.begin()
    for (const place of [0, 1, 2]) {
      expect(given.part()).toMatchObject({ place, isLast: place === 2, index: 9 })
      given.receiver.handle(given.part())
      given.sender.handle(given.answer())
      await soon()
    }
    expect(given.arrived).toEqual(['9: aa|bb|cc'])
    expect(given.ends).toEqual(['2 delivered'])
    expect(given.sent).toHaveLength(6)
  })

  test('a piece that is lost is sent again; one that arrives twice counts once', async () => {
    const given = new Given(['aa', 'bb'])
    await given.begin()
    given.sender.tick()
    given.sender.tick()
    expect(given.sent).toHaveLength(1)
    given.sender.tick()
    expect(given.sent).toHaveLength(2)
    given.receiver.handle(given.part())
    given.receiver.handle(given.part())
    given.sender.handle(given.answer())
    given.sender.handle(given.answer())
    await soon()
    given.receiver.handle(given.part())
    expect(given.arrived).toEqual(['9: aa|bb'])
  })

  test('after enough attempts it has failed, and the protocol is told so', async () => {
    const given = new Given(['aa', 'bb'])
    await given.begin()
    for (let tick = 0; tick < 9; tick++) given.sender.tick()
    expect(given.ends).toEqual(['2 failed'])
    expect(given.sent).toHaveLength(2)
  })

  test('one that a newer one has replaced on the disk is not begun', async () => {
    const given = new Given(['aa'], 12)
    await given.begin()
    expect(given.ends).toEqual(['2 failed'])
    expect(given.sent).toEqual([])
  })

  test('two transfers do not mix: the answer of the first says nothing about the second', async () => {
    const given = new Given(['aa', 'bb'])
    await given.begin()
    given.receiver.handle(given.part())
    const stale = given.answer()
    await given.begin()
    given.sender.handle(stale)
    await soon()
    expect(given.part().place).toBe(0)
    expect(given.part().transfer).not.toBe(stale.transfer)
  })

  test('the receiver takes pieces in order only, and not more than it has room for', async () => {
    const given = new Given(['aaaaaaaa', 'bbbbbbbb'])
    await given.begin()
    const first = given.part()
    given.receiver.handle({ ...first, place: 1 })
    expect(given.sent).toHaveLength(1)
    given.receiver.handle(first)
    given.receiver.handle({ ...first, place: 1, isLast: true })
    expect(given.arrived).toEqual([])
  })
})
