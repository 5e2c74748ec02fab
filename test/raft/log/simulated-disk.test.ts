import { describe, expect, test } from 'vitest'
import { SimulatedDisk } from '../../simulation/disk.ts'
import { outcome } from './sample.ts'

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed)

/** A file that is durable, with eight sectors of one letter. */
async function prepared(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  disk.put('a', Buffer.alloc(4096, 'o'))
  return disk
}

const letters = (content: Buffer): string => content.toString('latin1')

describe('the simulated disk forgets what a real one forgets', () => {
  test('a write that was on its way ends in any way: nothing, all, a beginning, some sectors', async () => {
    const disk = await prepared()
    const file = await disk.open('a')
    disk.stopAt(disk.begun + 1)
    expect(await outcome(file.writeDurably(0, Buffer.alloc(4096, 'n')))).toBe('ESTOPPED')
    const found = SEEDS.map((seed) => letters(disk.crash('power', seed).content('a')))
    expect(found).toContain('o'.repeat(4096))
    expect(found).toContain('n'.repeat(4096))
    expect(found.some((each) => /^n+o+$/.test(each) && each.indexOf('o') % 512 !== 0)).toBe(true)
    expect(found.some((each) => each[0] === 'o' && each.includes('n'))).toBe(true)
  })

  test('a write that has ended is there, whatever the seed', async () => {
    const disk = await prepared()
    await (await disk.open('a')).writeDurably(100, Buffer.alloc(1000, 'n'))
    for (const seed of SEEDS) expect(letters(disk.crash('power', seed).content('a'))).toMatch(/^o{100}n{1000}o+$/)
  })

  test('a killed process leaves a beginning of its write, which a power cut may then undo', async () => {
    const disk = await prepared()
    const file = await disk.open('a')
    disk.stopAt(disk.begun + 1)
    await outcome(file.writeDurably(0, Buffer.alloc(4096, 'n')))
    const killed = disk.crash('process', 3)
    expect(letters(killed.content('a'))).toMatch(/^n+o+$/)
    expect(SEEDS.map((seed) => letters(killed.crash('power', seed).content('a')))).toContain('o'.repeat(4096))
  })

  test('a name is durable when the directory was synced, and not before', async () => {
    const named = async (synced: boolean): Promise<Set<number>> => {
      const disk = new SimulatedDisk()
      await (await disk.create('new')).writeDurably(0, Buffer.from('x'))
      if (synced) await disk.syncDirectory()
      return new Set(SEEDS.map((seed) => disk.crash('power', seed).names().length))
    }
    expect(await named(false)).toEqual(new Set([0, 1]))
    expect(await named(true)).toEqual(new Set([1]))
  })

  test('after a failed sync it shows what it will not keep, and says yes to the next one', async () => {
    const disk = new SimulatedDisk()
    const file = await disk.create('new')
    await disk.syncDirectory()
    await file.preallocate(512)
    disk.fail({ operation: 'sync', code: 'EIO' })
    expect(await outcome(file.sync())).toBe('EIO')
    await file.sync()
    expect(disk.content('new')).toHaveLength(512)
    for (const seed of SEEDS) expect(disk.crash('power', seed).content('new')).toHaveLength(0)
  })

  test('a full disk takes what fits', async () => {
    const disk = new SimulatedDisk({ capacityBytes: 1000 })
    const file = await disk.create('new')
    expect(await outcome(file.preallocate(1500))).toBe('ENOSPC')
    expect(await file.size()).toBe(1000)
    await file.writeDurably(0, Buffer.alloc(1000, 'n'))
  })

  test('one moment can end in many ways: a crash changes nothing of the disk before it', async () => {
    const disk = await prepared()
    const file = await disk.open('a')
    disk.stopAt(disk.begun + 1)
    await outcome(file.writeDurably(0, Buffer.alloc(4096, 'n')))
    for (const seed of [1, 2, 3]) {
      const first = disk.crash('power', seed).content('a')
      disk.crash('process', seed + 1)
      expect(disk.crash('power', seed).content('a').equals(first)).toBe(true)
    }
  })
})
