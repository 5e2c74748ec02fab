import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Chunk, SeedDone, WorkerTask } from './worker.ts'

export interface Crew {
  readonly size: number
  readonly task: WorkerTask
  /** The next seeds for whoever is idle; `undefined` when there are no more. */
  readonly next: () => Chunk | undefined
  readonly done: (seed: SeedDone) => void
}

/** Runs seeds on all cores. A worker that breaks ends the run: then its own code is wrong. */
export async function work({ size, task, next, done }: Crew): Promise<void> {
  await Promise.all(Array.from({ length: size }, () => one(task, next, done)))
}

function one(task: WorkerTask, next: Crew['next'], done: Crew['done']): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, 'worker.ts'), { workerData: task })
    worker.on('error', reject)
    worker.on('exit', () => resolve())
    worker.on('message', (message: SeedDone | 'idle') => {
      if (message !== 'idle') {
        done(message)
        return
      }
      const chunk = next()
      if (chunk) worker.postMessage(chunk)
      else void worker.terminate()
    })
  })
}
