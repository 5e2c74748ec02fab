import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly node: string
  readonly java: string
  readonly platform: string
}

/** What a reader needs to judge the figures; nothing that says whose machine it is. */
export function describeMachine(): Machine {
  const { stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return {
    processor: cpus()[0]?.model.trim() || 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    java: /version "([^"]+)"/.exec(stderr ?? '')?.[1] ?? 'none',
    platform: `${process.platform} ${process.arch}`,
  }
}
