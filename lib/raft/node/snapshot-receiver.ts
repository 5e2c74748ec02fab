import { type MemberId, NO_DATA, type Snapshot } from '../core/entry.ts'
import type { MsgSnap } from '../core/messages.ts'
import type { NodeSettings } from './options.ts'
import type { Network, SnapshotPart } from './ports.ts'

export interface SnapshotReceiverPorts {
  readonly id: MemberId
  readonly network: Network
  readonly settings: NodeSettings
  /** All pieces are here: the protocol may take it, or not. */
  readonly complete: (message: MsgSnap, pieces: readonly Uint8Array[]) => void
}

interface Incoming {
  readonly from: MemberId
  readonly transfer: number
  taken: number
  readonly pieces: Uint8Array[]
  bytes: number
}

/** Gathers the pieces of one snapshot, in memory, until all are there. */
export class SnapshotReceiver {
  readonly #ports: SnapshotReceiverPorts
  #incoming: Incoming | undefined

  constructor(ports: SnapshotReceiverPorts) {
    this.#ports = ports
  }

  handle(part: SnapshotPart): void {
    const incoming = this.#incomingOf(part)
    if (!incoming) return
    const isNew = part.place === incoming.taken
    if (isNew) {
      incoming.bytes += part.data.length
      if (incoming.bytes > this.#ports.settings.maxSnapshotBytes) return
      incoming.pieces.push(part.data)
      incoming.taken++
    }
    const { id: from, network } = this.#ports
    network.send({ type: 'SnapshotPartResp', from, to: part.from, transfer: part.transfer, taken: incoming.taken })
    if (isNew && part.isLast) this.#end(part, incoming)
  }

  #incomingOf({ from, transfer, place }: SnapshotPart): Incoming | undefined {
    const { id: to } = this.#ports
    const known = this.#incoming
    if (known?.from === from && known.transfer === transfer) return known
    if (place !== 0 || to === from) return undefined
    this.#incoming = { from, transfer, taken: 0, pieces: [], bytes: 0 }
    return this.#incoming
  }

  #end({ from, to, term, transfer, index, snapshotTerm, configuration }: SnapshotPart, { pieces }: Incoming): void {
    const snapshot: Snapshot = { index, term: snapshotTerm, configuration, data: NO_DATA }
    // What is kept here only answers a last piece that is sent again.
    this.#incoming = { from, transfer, taken: pieces.length, pieces: [], bytes: 0 }
    this.#ports.complete({ type: 'MsgSnap', from, to, term, snapshot }, pieces)
  }
}
