import { inflateRawSync } from 'node:zlib'

const END = 0x06_05_4b_50
const METHOD_STORED = 0

/** The files of an archive as `cdk` packs one: neither encrypted nor larger than 4 GiB. */
export function filesOf(zip: Buffer): ReadonlyMap<string, Buffer> {
  const end = zip.lastIndexOf(Buffer.from(Uint32Array.of(END).buffer))
  if (end < 0) throw new Error('Not an archive')
  const files = new Map<string, Buffer>()
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field)) as [
      number,
      number,
      number,
    ]
    const name = zip.subarray(at + 46, at + 46 + nameBytes).toString()
    files.set(
      name,
      contentOf(zip, { method: zip.readUInt16LE(at + 10), bytes: zip.readUInt32LE(at + 20), local: zip.readUInt32LE(at + 42) }),
    )
    at += 46 + nameBytes + extraBytes + commentBytes
  }
  return files
}

interface Entry {
  readonly method: number
  readonly bytes: number
  /** Where its own header is. */
  readonly local: number
}

function contentOf(zip: Buffer, { method, bytes, local }: Entry): Buffer {
  const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const packed = zip.subarray(from, from + bytes)
  return method === METHOD_STORED ? packed : inflateRawSync(packed)
}
