/** `npm run dev`: functions/ on this machine, behind triggers of their own. */
import { HELP, parseArguments, WrongArguments } from './arguments.ts'
import { PortTaken } from './http-server.ts'
import { jsonLog, textLog } from './log.ts'
import { openStage } from './stage.ts'
import { NoTables } from './tables.ts'
import { welcome } from './welcome.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof WrongArguments || error instanceof PortTaken || error instanceof NoTables
  console.error(expected ? error.message : error)
  return error instanceof WrongArguments ? 2 : 1
})

async function main(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv)
  if (!args) {
    console.log(HELP)
    return 0
  }
  // From the first moment on: npm and a terminal send the same signal both, and whoever stops once means it.
  const stopped = new Promise<string>((resolve) => {
    for (const signal of SIGNALS) process.on(signal, () => resolve(signal))
  })
  const log = args.json ? jsonLog(process.stdout) : textLog(process.stdout)
  const stage = await openStage({ ...args, env: process.env, log })
  welcome(stage, { log, json: args.json, everyMs: args.everyMs })
  const signal = await stopped
  log({ source: 'dev', event: 'stopping', text: 'stopping', signal })
  await stage.close()
  log({ source: 'dev', event: 'stopped', text: 'stopped' })
  return 0
}
