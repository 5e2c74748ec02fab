/** One message: a line of JSON. Bytes travel as `{ "$bytes": base64 }`. */
export const MAX_FRAME_BYTES = 1_048_576

export class BadFrame extends Error {
  override readonly name = 'BadFrame'
}

export function encodeFrame(message: object): string {
  const line = `${JSON.stringify(message, encodeBytes)}\n`
  if (Buffer.byteLength(line) > MAX_FRAME_BYTES) throw new BadFrame(`A message may have at most ${MAX_FRAME_BYTES} bytes`)
  return line
}

/** Puts a stream's chunks together to messages. It never keeps more than one message's worth of bytes. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0)

  /** @throws BadFrame when a line is too long or is not a JSON object; the connection is of no use then. */
  push(chunk: Buffer): object[] {
    const messages: object[] = []
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
      if (end >= MAX_FRAME_BYTES) throw tooLong()
      messages.push(decode(rest.subarray(0, end)))
      rest = rest.subarray(end + 1)
    }
    if (rest.length >= MAX_FRAME_BYTES) throw tooLong()
    this.#pending = Buffer.from(rest)
    return messages
  }
}

const NEWLINE = 0x0a
const tooLong = (): BadFrame => new BadFrame(`A message has more than ${MAX_FRAME_BYTES} bytes`)

function decode(line: Buffer): object {
  let message: unknown
  try {
    message = JSON.parse(line.toString(), decodeBytes)
  } catch (cause) {
    throw new BadFrame('A message is not JSON', { cause })
  }
  if (typeof message !== 'object' || message === null) throw new BadFrame('A message is not an object')
  return message
}

/** Looks at the member itself: of a Buffer, `value` is what its toJSON made of it. */
function encodeBytes(this: { readonly [name: string]: unknown }, name: string, value: unknown): unknown {
  const member = this[name]
  return member instanceof Uint8Array ? { $bytes: Buffer.from(member).toString('base64') } : value
}

function decodeBytes(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$bytes' in value)) return value
  return typeof value.$bytes === 'string' ? new Uint8Array(Buffer.from(value.$bytes, 'base64')) : value
}
