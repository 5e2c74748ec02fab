import { Command, CommanderError, Option } from 'commander'
import { isAlonceError } from '../store/errors.ts'
import type { RecordKey } from '../store/record.ts'
import { lockKeyOf, recordKeyOf } from './address.ts'
import { doctor } from './doctor.ts'
import { countOption, durationOption } from './duration.ts'
import { get } from './get.ts'
import { ls } from './ls.ts'
import { jsonLine, printable } from './printable.ts'
import { run } from './run.ts'
import { type CommonOptions, Session } from './session.ts'
import { STATUS, UsageError } from './status.ts'
import { stepIn } from './step-in.ts'
import type { Surroundings } from './surroundings.ts'
import { STATES } from './view.ts'
import { watch } from './watch.ts'

const SECOND = 1000
const DAY = 86_400 * SECOND

/** Runs one command line and says what to exit with. It never throws. */
export async function alonce(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let status: number = STATUS.done
  const program = programOf(surroundings, (act) => async (...given) => {
    // commander gives the arguments, the options, and last the command that has both.
    const command = given.at(-1) as Command
    status = await act(new Session(surroundings, command.optsWithGlobals()), command)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return status
  } catch (error) {
    return failure(error, surroundings, program.opts<CommonOptions>().json === true)
  }
}

type Act = (session: Session, command: Command) => Promise<number>
type Perform = (act: Act) => (...given: unknown[]) => Promise<void>

function programOf({ out, err, versions }: Surroundings, perform: Perform): Command {
  const program = new Command('alonce')
    .description('Look at locks and operations, step in, and run commands under a lock.')
    .version(versions.alonce)
    .option('--table <name>', 'DynamoDB table, name or ARN (default: $ALONCE_TABLE)')
    .option('--namespace <name>', 'the application’s namespace in the table', 'default')
    .option('--region <name>', 'AWS region (default: the environment’s)')
    .option('--endpoint <url>', 'of DynamoDB (default: $AWS_ENDPOINT_URL_DYNAMODB, $AWS_ENDPOINT_URL, or AWS)')
    .option('--json', 'for programs: one JSON object on a line')
    .option('--no-color', 'as NO_COLOR in the environment')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) })
    .exitOverride()
  for (const add of [addList, addLook, addSteps, addRun, addDoctor]) add(program, perform)
  return program
}

function duration(flags: string, description: string, [least, byDefault]: readonly [number, string]): Option {
  const parse = durationOption(least, DAY)
  return new Option(flags, description).argParser(parse).default(parse(byDefault), byDefault)
}

function addList(program: Command, perform: Perform): void {
  program
    .command('ls')
    .description('list what is held, running, or was left behind')
    .addOption(new Option('--kind <kind>', 'locks or operations only').choices(['lock', 'once']))
    .option('--prefix <text>', 'keys that begin so: once/charge/, or account/ with --kind lock')
    .addOption(new Option('--state <states...>', 'instead of those in use').choices(STATES))
    .option('--all', 'in every state')
    .option('--limit <count>', 'records to show', countOption(1, 1000), 100)
    .option('--scan-limit <count>', 'items of the table to look at', countOption(1, 10_000_000), 10_000)
    .option('--from <position>', 'go on where an earlier list ended')
    .option('--wide', 'shorten nothing')
    .action(perform((session, command) => ls(session, command.opts())))
}

function addLook(program: Command, perform: Perform): void {
  keyed(program.command('get <record> [key]'))
    .description('show all that is known of a record')
    .action(perform((session, command) => get(session, keyOf(command))))
  keyed(program.command('watch <record> [key]'))
    .description('show changes as they come')
    .addOption(duration('--interval <duration>', 'between two looks', [100, '2s']))
    .option('--renewals', 'renewals too')
    .action(perform((session, command) => watch(session, keyOf(command), command.opts())))
}

const keyed = (command: Command): Command =>
  command
    .option('--scope <scope>', 'of the operation’s key')
    .option('--key-json', 'key and scope are JSON: 7 is a number, \'"7"\' a text')

function keyOf(command: Command): RecordKey {
  const [first, key] = command.processedArgs as [string, string | undefined]
  const { scope, keyJson } = command.opts<{ scope?: string; keyJson?: boolean }>()
  return recordKeyOf({ first, key, scope, asJson: keyJson === true })
}

const MOST_FENCE = Number.MAX_SAFE_INTEGER

const step = (command: Command): Command =>
  command
    .requiredOption('--reason <text>', 'for those who ask later; it is kept in the record')
    .option('--by <name>', 'who does it (default: you, at this host)')
    .option('--fence <fence>', 'the grant that it was decided on (default: what is there)', countOption(0, MOST_FENCE))
    .option('--yes', 'do not ask')

function addSteps(program: Command, perform: Perform): void {
  step(program.command('break <lock>'))
    .description('end somebody else’s lease')
    .action(
      perform((session, command) => {
        const key = lockKeyOf((command.processedArgs[0] as string).replace(/^lock\//, ''))
        return stepIn(session, 'lock.break', { key, options: command.opts() })
      }),
    )
  step(keyed(program.command('forget <operation> [key]')))
    .description('clear an operation’s record, so that it may run again')
    .action(
      perform((session, command) => {
        const key = keyOf(command)
        if (key.startsWith('lock/')) throw new UsageError('A lock is not forgotten, it is broken: alonce break.')
        return stepIn(session, 'once.forget', { key, options: command.opts() })
      }),
    )
}

function addRun(program: Command, perform: Perform): void {
  program
    .command('run <lock> <command...>')
    .usage('[options] <lock> -- <command...>')
    .description('run a command while the lock is held, and stop it when it is lost')
    .addOption(duration('--wait <duration>', 'for the holder', [0, '0s']))
    .addOption(duration('--lease <duration>', 'renewed at a third of it', [3 * SECOND, '30s']))
    .addOption(duration('--grace <duration>', 'from SIGTERM to SIGKILL when it is to stop', [0, '10s']))
    .addOption(new Option('--on-held <what>', 'end with 3, or with 0').choices(['fail', 'skip']).default('fail'))
    .option('--fair', 'wait in the order of arrival')
    .option('--label <text>', 'who holds it, for people (default: this host and process)')
    .action(
      perform((session, command) => {
        const [lock, [name = '', ...args]] = command.processedArgs as [string, string[]]
        return run(session, { lock, command: name, args, options: command.opts() })
      }),
    )
}

function addDoctor(program: Command, perform: Perform): void {
  program.command('doctor').description('look for what would make locks and operations fail').action(perform(doctor))
  program
    .command('table')
    .description('for development')
    .command('create')
    .description('make the table, with its TTL')
    .action(perform(createTable))
}

async function createTable(session: Session): Promise<number> {
  const { tableName, created } = await session.createTable()
  const state = created ? 'is ready.' : 'was there already, and is as it was. Check it with: alonce doctor'
  session.tell({ table: tableName, created }, `The table ${tableName} ${state}\n`)
  return STATUS.done
}

function failure(error: unknown, { err, env }: Surroundings, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.done : STATUS.usage
  const usage =
    error instanceof UsageError ||
    isAlonceError(error, 'CONFIG_INVALID') ||
    isAlonceError(error, 'KEY_INVALID') ||
    isAlonceError(error, 'KEY_MISSING')
  const code = isAlonceError(error) ? error.code : usage ? 'USAGE' : 'UNEXPECTED'
  const message = error instanceof Error ? error.message : String(error)
  err.write(json ? `${jsonLine({ error: { code, message } })}\n` : `alonce: ${printable(message)} (${code})\n`)
  if (env['ALONCE_DEBUG'] && error instanceof Error)
    err.write(`${error.stack}\n${error.cause instanceof Error ? `caused by ${error.cause.stack}\n` : ''}`)
  return usage ? STATUS.usage : STATUS.failed
}
