import { invariant } from '../core/invariant.ts'
import type { LogIndex } from '../entry.ts'
import { asBuffer, readWhole, writeWhole } from '../log/bytes.ts'
import { type Batch, decodeBatch } from './batch.ts'
import type { NodeSettings } from './options.ts'
import { framed, unframed } from './pieces.ts'
import type { StateMachine } from './ports.ts'
import { type Answer, Sessions } from './sessions.ts'
import { FIRST_VERSION, mustKnow, VersionUnknown } from './versions.ts'

/** All that the log's entries add up to: the machine's state, the clients' sessions, and the time. */
export class ReplicatedState {
  readonly #machine: StateMachine
  readonly #settings: NodeSettings
  #sessions: Sessions
  /** The latest stamp. */
  #timeMs = 0
  #version = FIRST_VERSION

  constructor(machine: StateMachine, settings: NodeSettings) {
    this.#machine = machine
    this.#settings = settings
    this.#sessions = new Sessions(settings.sessions)
  }

  get timeMs(): number {
    return this.#timeMs
  }

  /** Of the transitions, in force as of the last entry. It never falls. */
  get version(): number {
    return this.#version
  }

  get dueAtMs(): number | undefined {
    return this.#machine.dueAtMs()
  }

  /** The answers to the commands of the entry at `index`, in their order. */
  apply(data: Uint8Array, index: LogIndex): readonly Answer[] {
    const batch = decodeBatch(data)
    mustKnow(batch.version, this.#settings.version, index)
    invariant(batch.version >= this.#version, () => `entry ${index} goes back to version ${batch.version} from ${this.#version}`)
    invariant(batch.timeMs >= this.#timeMs, () => `cluster time goes back from ${this.#timeMs} to ${batch.timeMs}`)
    this.#timeMs = batch.timeMs
    this.#version = batch.version
    this.#machine.advanceTo(this.#timeMs)
    return batch.commands.map((_, place) => this.#answer(batch, place, index))
  }

  #answer({ commands, version }: Batch, place: number, index: LogIndex): Answer {
    const command = commands[place]
    invariant(command !== undefined, () => `a batch without command ${place}`)
    if (command.session === 0) return { outcome: 'executed', reply: this.#sessions.open(index) }
    return this.#sessions.answer(command, (payload) => this.#machine.apply(payload, { timeMs: this.#timeMs, version }))
  }

  /** As it is at the call; the pieces are made one at a time. */
  snapshot(): Iterable<Uint8Array> {
    return framed(joined(this.#head(), this.#sessions.snapshot(), this.#machine.snapshot()))
  }

  /** time (8), version (4). */
  #head(): Uint8Array {
    const head = Buffer.alloc(12)
    writeWhole(head, this.#timeMs, 0)
    head.writeUInt32LE(this.#version, 8)
    return head
  }

  #readHead(head: Buffer): void {
    const [timeMs, needed] = [readWhole(head, 0), head.readUInt32LE(8)]
    const { version: known } = this.#settings
    if (needed > known) throw new VersionUnknown('The snapshot was taken under', { needed, known })
    this.#timeMs = timeMs
    this.#version = needed
  }

  /** Without bytes: the state before the first entry. */
  async restore(stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const pieces = unframed(stream)
    const head = await pieces.next()
    this.#timeMs = 0
    this.#version = FIRST_VERSION
    if (!head.done) this.#readHead(asBuffer(head.value))
    const sessions: Uint8Array[] = []
    for (let next = await pieces.next(); !next.done && next.value.length > 0; next = await pieces.next())
      sessions.push(next.value)
    this.#sessions = Sessions.restore(this.#settings.sessions, sessions)
    await this.#machine.restore(pieces)
  }
}

/** Time and version; the sessions, which are never empty pieces; an empty piece; the machine's. */
function* joined(
  head: Uint8Array,
  sessions: Iterable<Uint8Array>,
  machine: Iterable<Uint8Array>,
): Generator<Uint8Array, void, void> {
  yield head
  yield* sessions
  yield NOTHING
  yield* machine
}

const NOTHING = new Uint8Array(0)
