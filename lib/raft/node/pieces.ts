import { invariant } from '../core/invariant.ts'

/**
 * Pieces of any size as one stream of bytes, and back: the log cuts a snapshot where it likes.
 *
 * Each piece has its length before it.
 */
export function* framed(pieces: Iterable<Uint8Array>): Generator<Uint8Array, void, void> {
  for (const piece of pieces) {
    const out = Buffer.allocUnsafe(4 + piece.length)
    out.writeUInt32LE(piece.length, 0)
    out.set(piece, 4)
    yield out
  }
}

export async function* unframed(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let rest = Buffer.alloc(0)
  for await (const bytes of stream) {
    rest = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes])
    let at = 0
    while (rest.length - at >= 4 && rest.length - at - 4 >= rest.readUInt32LE(at)) {
      const end = at + 4 + rest.readUInt32LE(at)
      yield rest.subarray(at + 4, end)
      at = end
    }
    rest = rest.subarray(at)
  }
  invariant(rest.length === 0, () => 'a snapshot ends within a piece')
}
