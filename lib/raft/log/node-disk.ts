import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk, DiskFile } from './disk.ts'

/** A piece of zeros: preallocation leaves the disk's queue to others in between. */
const PIECE_BYTES = 256 * 1024

/**
 * The real `Disk`: one directory, made if it is missing. Its own name in its parent is synced too.
 *
 * Files are opened with `O_DSYNC`, so that a durable write is one hop through the thread pool instead of a write and a sync.
 */
export async function nodeDisk(directory: string): Promise<Disk> {
  await mkdir(directory, { recursive: true })
  await syncFolder(join(directory, '..'))
  const path = (name: string): string => join(directory, name)
  return {
    list: () => readdir(directory),
    open: async (name) => diskFile(await open(path(name), constants.O_RDWR | constants.O_DSYNC)),
    create: async (name) =>
      diskFile(await open(path(name), constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_DSYNC, 0o600)),
    rename: (from, to) => rename(path(from), path(to)),
    remove: (name) => unlink(path(name)),
    syncDirectory: () => syncFolder(directory),
  }
}

function diskFile(handle: FileHandle): DiskFile {
  return {
    size: async () => (await handle.stat()).size,
    read: (offset, bytes) => readFully(handle, offset, bytes),
    writeDurably: (offset, bytes) => writeFully(handle, offset, bytes),
    preallocate: async (bytes) => {
      const zeros = Buffer.alloc(Math.min(PIECE_BYTES, bytes))
      for (let at = 0; at < bytes; at += zeros.length) await writeFully(handle, at, zeros.subarray(0, bytes - at))
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
  }
}

/** The system may read less than was asked for; only at the file's end it reads nothing. */
async function readFully(handle: FileHandle, offset: number, bytes: number): Promise<Uint8Array> {
  const { size } = await handle.stat()
  const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(bytes, size - offset)))
  let read = 0
  while (read < buffer.length) {
    const { bytesRead } = await handle.read(buffer, read, buffer.length - read, offset + read)
    if (bytesRead === 0) break
    read += bytesRead
  }
  return buffer.subarray(0, read)
}

/** The system may write less than was asked for: a full disk shows at the next attempt. */
async function writeFully(handle: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, offset + written)
    written += bytesWritten
  }
}

/** Opening for reading is enough to sync a directory. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
