import { expect, test } from 'vitest'
import { BadFrame, encodeFrame, FrameReader, MAX_FRAME_BYTES } from '../../demo/frames.ts'

const message = { id: 7, text: 'zwölf\nLines', body: new Uint8Array([0, 10, 255]), nested: [{ buffer: Buffer.from('x') }] }
const received = { ...message, nested: [{ buffer: new Uint8Array([120]) }] }

test('A message comes back as it was, bytes and Buffers as bytes', () => {
  expect(new FrameReader().push(Buffer.from(encodeFrame(message)))).toEqual([received])
})

test('Messages are put together from whatever pieces they come in', () => {
  const bytes = Buffer.from(encodeFrame(message) + encodeFrame({ id: 8 }))
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new FrameReader()
    const messages: object[] = []
    for (let at = 0; at < bytes.length; at += size) messages.push(...reader.push(bytes.subarray(at, at + size)))
    expect(messages).toEqual([received, { id: 8 }])
  }
})

test('A message that is too long is refused on both sides, before it is whole', () => {
  expect(() => encodeFrame({ text: 'x'.repeat(MAX_FRAME_BYTES) })).toThrow(BadFrame)
  const reader = new FrameReader()
  reader.push(Buffer.alloc(MAX_FRAME_BYTES - 1, 'x'))
  expect(() => reader.push(Buffer.from('x'))).toThrow(BadFrame)
})

test.each(['not JSON\n', '7\n', 'null\n'])('%j is not a message', (line) => {
  expect(() => new FrameReader().push(Buffer.from(line))).toThrow(BadFrame)
})
