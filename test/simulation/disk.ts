import type { Disk, DiskFile } from '../../lib/raft/log/disk.ts'

/** The unit in which a real disk writes or does not; inside one, a write may still stop at any byte. */
const SECTOR = 512

export type Operation = 'list' | 'open' | 'create' | 'rename' | 'remove' | 'syncDirectory' | FileOperation
type FileOperation = 'size' | 'read' | 'write' | 'preallocate' | 'sync'

export interface Fault {
  readonly operation: Operation
  readonly code: 'EIO' | 'ENOSPC'
  /** How many of these operations still go well. Default: 0. */
  readonly after?: number
  /** Of files whose names match only. */
  readonly name?: RegExp
}

export interface SimulatedDiskOptions {
  /** Decides how long each operation takes. Default: 0. */
  readonly seed?: number
  /** Bytes that all files together may have. Default: no limit. */
  readonly capacityBytes?: number
  /** How an operation waits; for a world with virtual time. Default: a few turns of the promise queue. */
  readonly turn?: (operation: Operation) => Promise<void>
  /** A disk that says "durable" too early: a negative control. */
  readonly lies?: boolean
}

/** What is left: everything that the kernel had (`process`), or only what the disk had (`power`). */
export type CrashKind = 'process' | 'power'

/**
 * The simulated twin of `Disk`. Like a real one it forgets at a power cut what was not synced, sector by sector, up to any byte of
 * one; it loses names of files whose directory was not synced, in any order; after a failed sync it shows bytes that it will not
 * keep, and says yes to the next sync.
 */
export class SimulatedDisk implements Disk {
  capacityBytes: number
  /** How many operations were begun, of each kind. */
  readonly counts: Map<Operation, number> = new Map()
  #begun = 0
  /** The operation during which the machine stops; it may be carried out in part. */
  #stopAt = Number.POSITIVE_INFINITY
  #stopped = false
  #faults: { fault: Fault; left: number }[] = []
  #names: Map<string, Inode>
  #durableNames: Map<string, Inode>
  #pendingNames: NameChange[] = []
  readonly #turn: (operation: Operation) => Promise<void>
  readonly #lies: boolean

  constructor(options: SimulatedDiskOptions = {}, names: ReadonlyMap<string, Inode> = new Map()) {
    const random = mulberry32(options.seed ?? 0)
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY
    this.#turn = options.turn ?? (() => turns(1 + Math.floor(random() * 4)))
    this.#lies = options.lies ?? false
    this.#names = new Map(names)
    this.#durableNames = new Map(names)
  }

  get begun(): number {
    return this.#begun
  }

  get stopped(): boolean {
    return this.#stopped
  }

  stopAt(operation: number): void {
    this.#stopAt = operation
  }

  stop(): void {
    this.#stopped = true
  }

  fail(fault: Fault): void {
    this.#faults.push({ fault, left: fault.after ?? 0 })
  }

  /** The disk after a crash, as a new one; this one stays as it is, so that one moment can end in many ways. */
  crash(kind: CrashKind, seed: number, options: SimulatedDiskOptions = {}): SimulatedDisk {
    this.#stopped = true
    const random = mulberry32(seed)
    const inodes = new Map<Inode, Inode>()
    const after = (inode: Inode): Inode => {
      const known = inodes.get(inode) ?? (kind === 'power' ? inode.afterPowerCut(random) : inode.afterKill(random))
      inodes.set(inode, known)
      return known
    }
    const names = kind === 'process' ? this.#names : survivingNames(this.#durableNames, this.#pendingNames, random)
    const disk = new SimulatedDisk(options, new Map([...names].map(([name, inode]) => [name, after(inode)])))
    if (kind === 'process') {
      disk.#durableNames = new Map([...this.#durableNames].map(([name, inode]) => [name, after(inode)]))
      disk.#pendingNames = this.#pendingNames.map((change) => (change.inode ? { ...change, inode: after(change.inode) } : change))
    }
    return disk
  }

  /** What a file holds, for a test to look at. */
  content(name: string): Buffer {
    return Buffer.from(this.#inode(name).bytes)
  }

  names(): readonly string[] {
    return [...this.#names.keys()].sort()
  }

  /** Puts a file there as it is, durable. */
  put(name: string, content: Uint8Array): void {
    const inode = new Inode(content, content)
    this.#names.set(name, inode)
    this.#durableNames.set(name, inode)
  }

  flip(name: string, bit: number): void {
    this.#inode(name).flip(bit)
  }

  list(): Promise<readonly string[]> {
    return this.#run('list', '', () => [...this.#names.keys()])
  }

  open(name: string): Promise<DiskFile> {
    return this.#run('open', name, () => this.#file(name, this.#inode(name)))
  }

  create(name: string): Promise<DiskFile> {
    return this.#run('create', name, () => {
      const inode = new Inode(new Uint8Array(0), new Uint8Array(0))
      this.#change({ set: name, inode })
      return this.#file(name, inode)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run('rename', from, () => this.#change({ set: to, drop: from, inode: this.#inode(from) }))
  }

  remove(name: string): Promise<void> {
    return this.#run('remove', name, () => {
      this.#inode(name)
      this.#change({ drop: name })
    })
  }

  syncDirectory(): Promise<void> {
    return this.#run('syncDirectory', '', () => {
      if (this.#lies) return
      this.#durableNames = new Map(this.#names)
      this.#pendingNames = []
    })
  }

  #file(name: string, inode: Inode): DiskFile {
    return {
      size: () => this.#run('size', name, () => inode.bytes.length),
      read: (offset, bytes) => this.#run('read', name, () => new Uint8Array(inode.bytes.subarray(offset, offset + bytes))),
      writeDurably: (offset, bytes) => this.#write({ name, inode, offset, bytes: new Uint8Array(bytes), operation: 'write' }),
      preallocate: (bytes) => this.#write({ name, inode, offset: 0, bytes: new Uint8Array(bytes), operation: 'preallocate' }),
      sync: () => this.#run('sync', name, () => (this.#lies ? undefined : inode.sync()), { onFault: () => inode.failSync() }),
      close: () => Promise.resolve(),
    }
  }

  /** In the kernel at once, on the disk when the operation ends: a crash in between finds it half done. */
  async #write({ name, inode, offset, bytes, operation }: WriteRequest): Promise<void> {
    const { capacityBytes } = this
    const room = capacityBytes === Number.POSITIVE_INFINITY ? capacityBytes : capacityBytes - this.#usedBytes()
    const growth = Math.max(0, offset + bytes.length - inode.bytes.length)
    const fits = growth <= room ? bytes : bytes.subarray(0, Math.max(0, bytes.length - (growth - Math.max(0, room))))
    let write: Write | undefined
    const begin = (): void => {
      write = inode.write(offset, fits)
    }
    const onFault = (code: Fault['code']): void => {
      const part = inode.write(offset, code === 'EIO' ? fits : fits.subarray(0, fits.length / 2))
      part.failed = code === 'EIO'
      part.inFlight = false
    }
    const end = (): void => {
      if (!write) return
      write.inFlight = false
      if (fits.length < bytes.length) throw failure('ENOSPC', operation, name)
      if (operation === 'write' && !this.#lies) inode.persist(write)
    }
    await this.#run(operation, name, end, { begin, onFault })
  }

  async #run<T>(operation: Operation, name: string, act: () => T, hooks: Hooks = {}): Promise<T> {
    this.#demandRunning(operation, name)
    this.#begun++
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1)
    const fault = this.#takeFault(operation, name)
    if (!fault) hooks.begin?.()
    if (this.#begun >= this.#stopAt) this.#stopped = true
    this.#demandRunning(operation, name)
    await this.#turn(operation)
    this.#demandRunning(operation, name)
    if (!fault) return act()
    hooks.onFault?.(fault)
    throw failure(fault, operation, name)
  }

  #demandRunning(operation: Operation, name: string): void {
    if (this.#stopped) throw failure('ESTOPPED', operation, name)
  }

  #takeFault(operation: Operation, name: string): Fault['code'] | undefined {
    const planned = this.#faults.find(({ fault }) => fault.operation === operation && (fault.name?.test(name) ?? true))
    if (!planned || planned.left-- > 0) return undefined
    this.#faults = this.#faults.filter((other) => other !== planned)
    return planned.fault.code
  }

  #change(change: NameChange): void {
    applyChange(this.#names, change)
    this.#pendingNames.push(change)
  }

  #inode(name: string): Inode {
    const inode = this.#names.get(name)
    if (!inode) throw failure('ENOENT', 'open', name)
    return inode
  }

  #usedBytes(): number {
    return [...new Set(this.#names.values())].reduce((sum, inode) => sum + inode.bytes.length, 0)
  }
}

interface Hooks {
  readonly begin?: () => void
  readonly onFault?: (code: Fault['code']) => void
}

interface WriteRequest {
  readonly name: string
  readonly inode: Inode
  readonly offset: number
  readonly bytes: Uint8Array
  readonly operation: 'write' | 'preallocate'
}

/** One step of the directory: a name goes, a name comes, or both at once. */
interface NameChange {
  readonly drop?: string
  readonly set?: string
  readonly inode?: Inode
}

interface Write {
  readonly offset: number
  readonly bytes: Uint8Array
  /** What was there before, for a process that was killed in the middle. */
  readonly before: Uint8Array
  inFlight: boolean
  /** The kernel takes its pages for clean, though they never reached the disk. */
  failed: boolean
}

class Inode {
  /** What a program reads. */
  bytes: Uint8Array
  #durable: Uint8Array
  #pending: Write[]

  constructor(bytes: Uint8Array, durable: Uint8Array, pending: readonly Write[] = []) {
    this.bytes = new Uint8Array(bytes)
    this.#durable = new Uint8Array(durable)
    this.#pending = pending.map((write) => ({ ...write }))
  }

  write(offset: number, bytes: Uint8Array): Write {
    const before = new Uint8Array(this.bytes.subarray(offset, offset + bytes.length))
    const write: Write = { offset, bytes, before, inFlight: true, failed: false }
    this.bytes = overlaid(this.bytes, offset, bytes)
    this.#pending.push(write)
    return write
  }

  persist(write: Write): void {
    this.#durable = overlaid(this.#durable, write.offset, write.bytes)
    const later = this.#pending.slice(this.#pending.indexOf(write) + 1)
    const earlier = this.#pending.slice(0, Math.max(0, this.#pending.indexOf(write)))
    this.#pending = [...earlier.flatMap((other) => without(other, write)), ...later]
  }

  sync(): void {
    for (const write of this.#pending.filter(({ failed }) => !failed)) this.persist(write)
    this.#pending = []
  }

  failSync(): void {
    for (const write of this.#pending) write.failed = true
  }

  flip(bit: number): void {
    for (const bytes of [this.bytes, this.#durable]) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  }

  afterPowerCut(random: () => number): Inode {
    let durable: Uint8Array = new Uint8Array(this.#durable)
    for (const { offset, bytes } of this.#pending)
      for (const part of tornParts(offset, bytes, random)) durable = overlaid(durable, part.offset, part.bytes)
    return new Inode(durable, durable)
  }

  /** The kernel lives on: only a write that was on its way may have got no further than some byte. */
  afterKill(random: () => number): Inode {
    let bytes: Uint8Array = new Uint8Array(this.bytes)
    const pending: Write[] = []
    for (const write of this.#pending) {
      if (!write.inFlight) {
        pending.push(write)
        continue
      }
      const reached = Math.floor(random() * (write.bytes.length + 1))
      bytes = overlaid(bytes, write.offset + reached, write.before.subarray(reached))
      if (write.before.length < write.bytes.length)
        bytes = bytes.subarray(0, write.offset + Math.max(reached, write.before.length))
      const part = { bytes: write.bytes.subarray(0, reached), before: write.before.subarray(0, reached) }
      if (reached > 0) pending.push({ ...write, ...part, inFlight: false })
    }
    return new Inode(bytes, this.#durable, pending)
  }
}

/** What is still on its way of an earlier write, once a later one over a part of it is durable. */
function without(earlier: Write, later: Part): Write[] {
  const [from, to] = [later.offset - earlier.offset, later.offset + later.bytes.length - earlier.offset]
  const cut = (start: number, end: number): Write => ({
    ...earlier,
    offset: earlier.offset + start,
    bytes: earlier.bytes.subarray(start, end),
    before: earlier.before.subarray(start, end),
  })
  if (to <= 0 || from >= earlier.bytes.length) return [earlier]
  const kept = [cut(0, Math.max(0, from)), cut(Math.min(to, earlier.bytes.length), earlier.bytes.length)]
  return kept.filter(({ bytes }) => bytes.length > 0)
}

interface Part {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** What a power cut leaves of one write. */
function tornParts(offset: number, bytes: Uint8Array, random: () => number): Part[] {
  const style = random()
  if (style < 0.15) return []
  if (style < 0.3) return [{ offset, bytes }]
  if (style < 0.6) return [{ offset, bytes: bytes.subarray(0, Math.floor(random() * (bytes.length + 1))) }]
  const parts: Part[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + SECTOR - ((offset + at) % SECTOR))
    const fate = random()
    const reached = fate < 0.4 ? at : fate < 0.8 ? end : at + Math.floor(random() * (end - at + 1))
    if (reached > at) parts.push({ offset: offset + at, bytes: bytes.subarray(at, reached) })
    at = end
  }
  return parts
}

/** A journal keeps a beginning of the changes; we also try any selection of them. */
function survivingNames(
  durable: ReadonlyMap<string, Inode>,
  changes: readonly NameChange[],
  random: () => number,
): Map<string, Inode> {
  const names = new Map(durable)
  const inOrder = random() < 0.5
  const kept = inOrder ? changes.slice(0, Math.floor(random() * (changes.length + 1))) : changes.filter(() => random() < 0.5)
  for (const change of kept) applyChange(names, change)
  return names
}

function applyChange(names: Map<string, Inode>, { drop, set, inode }: NameChange): void {
  if (drop !== undefined) names.delete(drop)
  if (set !== undefined && inode) names.set(set, inode)
}

/** Always a copy where it grows; in place where it does not. */
function overlaid(under: Uint8Array, offset: number, over: Uint8Array): Uint8Array {
  if (over.length === 0) return under
  let base = under
  if (offset + over.length > under.length) {
    base = new Uint8Array(offset + over.length)
    base.set(under)
  }
  base.set(over, offset)
  return base
}

function failure(code: string, operation: Operation, name: string): Error {
  return Object.assign(new Error(`${code}: ${operation} ${name}`), { code })
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve()
}

/** A small generator with a 32-bit state: the same seed, the same run. */
export function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
