import { nextTick } from 'node:process'

/** Virtual time: what is due next happens next, and of what is due at once what was asked for first. */
export class Scheduler {
  #heap: Task[] = []
  #sequence = 0
  now = 0
  ran = 0

  after(ms: number, run: () => void): void {
    this.#push({ at: this.now + Math.max(0, ms), sequence: this.#sequence++, run })
  }

  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY
  }

  /**
   * Runs task after task, each with all that follows from it without time passing, until `isOver` says so after one of them.
   * What a task throws ends it.
   */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (isOver()) resolve()
          else {
            this.#runNext()
            // Until nothing is left in the promise queue: then it is the ticks' turn. Nothing in the world waits for anything else.
            queueMicrotask(drained)
          }
        } catch (error) {
          reject(error)
        }
      }
      const drained = (): void => nextTick(step)
      drained()
    })
  }

  #runNext(): void {
    const task = this.#pop()
    if (!task) return
    this.now = task.at
    this.ran++
    task.run()
  }

  #push(task: Task): void {
    const heap = this.#heap
    let at = heap.push(task) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(task, heap[parent] as Task)) break
      heap[at] = heap[parent] as Task
      at = parent
    }
    heap[at] = task
  }

  #pop(): Task | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || first === last) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Task, heap[child] as Task)) child++
      if (!isBefore(heap[child] as Task, last)) break
      heap[at] = heap[child] as Task
      at = child
    }
    heap[at] = last
    return first
  }
}

interface Task {
  readonly at: number
  readonly sequence: number
  readonly run: () => void
}

const isBefore = (a: Task, b: Task): boolean => a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
