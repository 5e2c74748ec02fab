import type { MemberId, Snapshot, Term } from '../core/entry.ts'
import type { MsgSnap } from '../core/messages.ts'
import type { RaftLog } from '../log/log.ts'
import type { NodeSettings } from './options.ts'
import type { Network, SnapshotPart, SnapshotPartResp } from './ports.ts'

export interface SnapshotSenderPorts {
  readonly log: RaftLog
  readonly network: Network
  readonly settings: NodeSettings
  readonly ended: (to: MemberId, how: 'delivered' | 'failed') => void
  readonly failed: (error: unknown) => void
}

interface Transfer {
  readonly number: number
  readonly to: MemberId
  readonly from: MemberId
  readonly term: Term
  readonly snapshot: Snapshot
  readonly pieces: AsyncGenerator<Uint8Array, void, void>
  /** Read one ahead, to know which one is the last. */
  ahead: Promise<IteratorResult<Uint8Array, void>>
  part: SnapshotPart | undefined
  sentAt: number
  attempts: number
}

/** Sends snapshots from the disk, one piece at a time, each again until it is taken: a follower's memory and our network are finite. */
export class SnapshotSender {
  readonly #ports: SnapshotSenderPorts
  readonly #transfers = new Map<MemberId, Transfer>()
  #nextNumber: number
  #tick = 0

  constructor(ports: SnapshotSenderPorts, fraction: number) {
    this.#ports = ports
    this.#nextNumber = 1 + Math.floor(fraction * 2 ** 50)
  }

  /** The protocol wants `message` sent. Its end is reported, whatever it is. */
  begin({ from, to, term, snapshot }: MsgSnap): void {
    this.#drop(to)
    const { log } = this.#ports
    // A newer one may have taken its place since.
    if (log.snapshot?.index !== snapshot.index) {
      this.#ports.ended(to, 'failed')
      return
    }
    const pieces = log.readSnapshot()
    const ahead = pieces.next()
    const number = this.#nextNumber++
    const transfer: Transfer = { number, to, from, term, snapshot, pieces, ahead, part: undefined, sentAt: 0, attempts: 0 }
    this.#transfers.set(to, transfer)
    this.#sendNext(transfer, 0).catch((error: unknown) => this.#ports.failed(error))
  }

  handle({ from, transfer: number, taken }: SnapshotPartResp): void {
    const transfer = this.#transfers.get(from)
    if (transfer?.number !== number || transfer.part === undefined || taken !== transfer.part.place + 1) return
    if (transfer.part.isLast) {
      this.#transfers.delete(from)
      this.#ports.ended(from, 'delivered')
      return
    }
    transfer.part = undefined
    this.#sendNext(transfer, taken).catch((error: unknown) => this.#ports.failed(error))
  }

  tick(): void {
    this.#tick++
    for (const transfer of this.#transfers.values()) {
      if (!transfer.part || this.#tick < transfer.sentAt + this.#ports.settings.partTicks) continue
      if (transfer.attempts >= this.#ports.settings.partAttempts) {
        this.#drop(transfer.to)
        this.#ports.ended(transfer.to, 'failed')
      } else this.#send(transfer, transfer.part)
    }
  }

  /** This member does not lead any more. */
  dropAll(): void {
    for (const to of [...this.#transfers.keys()]) this.#drop(to)
  }

  #drop(to: MemberId): void {
    const transfer = this.#transfers.get(to)
    if (!transfer) return
    this.#transfers.delete(to)
    transfer.ahead
      .then(
        () => transfer.pieces.return(),
        () => undefined,
      )
      .catch(() => undefined)
  }

  async #sendNext(transfer: Transfer, place: number): Promise<void> {
    const piece = await transfer.ahead
    transfer.ahead = transfer.pieces.next()
    const next = await transfer.ahead
    if (this.#transfers.get(transfer.to) !== transfer) return
    const { number, from, to, term, snapshot } = transfer
    const data = piece.done ? new Uint8Array(0) : piece.value
    const { index, term: snapshotTerm, configuration } = snapshot
    const isLast = next.done === true
    transfer.part = {
      type: 'SnapshotPart',
      from,
      to,
      term,
      transfer: number,
      place,
      isLast,
      index,
      snapshotTerm,
      configuration,
      data,
    }
    transfer.attempts = 0
    this.#send(transfer, transfer.part)
  }

  #send(transfer: Transfer, part: SnapshotPart): void {
    transfer.sentAt = this.#tick
    transfer.attempts++
    this.#ports.network.send(part)
  }
}
