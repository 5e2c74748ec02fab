import { Listr } from 'listr2'

/** A step of the demo: it says lines while it is at work, and gives itself a better title. */
export interface Phase {
  readonly title: string
  run(voice: Voice): Promise<void>
}
export interface Voice {
  say(line: string): void
  retitle(title: string): void
}

/** Lists and spinners on a terminal, lines elsewhere, nothing when only the summary is wanted. */
export type Mode = 'live' | 'lines' | 'silent'

export async function perform(phases: readonly Phase[], mode: Mode): Promise<void> {
  if (mode === 'live') return performLive(phases)
  const say = mode === 'lines' ? (line: string) => console.log(line) : () => undefined
  for (const phase of phases) {
    say(phase.title)
    await phase.run({ say: (line) => say(`  ${line}`), retitle: () => undefined })
  }
}

const LINES_SHOWN = 10

async function performLive(phases: readonly Phase[]): Promise<void> {
  const tasks = phases.map((phase) => ({
    title: phase.title,
    rendererOptions: { bottomBar: LINES_SHOWN },
    task: (_context: unknown, task: { title: string; output: string }) =>
      phase.run({
        say: (line) => {
          task.output = line
        },
        retitle: (title) => {
          task.title = title
        },
      }),
  }))
  await new Listr(tasks, { concurrent: false, rendererOptions: { collapseErrors: false } }).run()
}
