import { invariant } from '../core/invariant.ts'
import { asBuffer, readWhole, writeWhole } from '../log/bytes.ts'

/** A client's request, as it stands in the log. Durations in the payload are made absolute by the batch's time. */
export interface Command {
  /** As `open` returned it; 0 opens a new session. */
  readonly session: number
  /** From 1 on, one for each command of the session; the same when it is sent again. */
  readonly sequence: number
  /** The client has answers to all numbers up to here, and will send none of them again. */
  readonly acknowledged: number
  readonly payload: Uint8Array
}

/** The commands that one entry holds: those that came in one turn of the loop. */
export interface Batch {
  /** Of the transitions (one byte). */
  readonly version: number
  /** The leader's cluster time. */
  readonly timeMs: number
  readonly commands: readonly Command[]
}

/** version (1), unused (3), commands (4), time (8). */
const HEAD = 16
/** session (8), sequence (8), acknowledged (8), payload length (4). */
const COMMAND_HEAD = 28

export const commandBytes = (command: Command): number => COMMAND_HEAD + command.payload.length

export function encodeBatch({ version, timeMs, commands }: Batch): Uint8Array {
  const out = Buffer.alloc(commands.reduce((sum, command) => sum + commandBytes(command), HEAD))
  out.writeUInt8(version, 0)
  out.writeUInt32LE(commands.length, 4)
  writeWhole(out, timeMs, 8)
  let at = HEAD
  for (const { session, sequence, acknowledged, payload } of commands) {
    writeWhole(out, session, at)
    writeWhole(out, sequence, at + 8)
    writeWhole(out, acknowledged, at + 16)
    out.writeUInt32LE(payload.length, at + 24)
    out.set(payload, at + COMMAND_HEAD)
    at += COMMAND_HEAD + payload.length
  }
  return out
}

export function decodeBatch(data: Uint8Array): Batch {
  const from = asBuffer(data)
  invariant(from.length >= HEAD, () => `a batch of ${from.length} bytes`)
  const commands: Command[] = []
  let at = HEAD
  for (let left = from.readUInt32LE(4); left > 0; left--) {
    invariant(at + COMMAND_HEAD <= from.length, () => 'a batch ends within a command')
    const end = at + COMMAND_HEAD + from.readUInt32LE(at + 24)
    invariant(end <= from.length, () => 'a batch ends within a command')
    commands.push({
      session: readWhole(from, at),
      sequence: readWhole(from, at + 8),
      acknowledged: readWhole(from, at + 16),
      payload: from.subarray(at + COMMAND_HEAD, end),
    })
    at = end
  }
  return { version: from.readUInt8(0), timeMs: readWhole(from, 8), commands }
}
