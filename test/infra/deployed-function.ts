import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { localConfig } from '../support/dynamodb-table.ts'
import { ROOT } from './synthesis.ts'

export interface EmittedMetric {
  readonly namespace: string
  readonly name: string
  readonly dimensions: { readonly [name: string]: string }
}
export interface DeployedRun {
  readonly results: readonly unknown[]
  readonly metrics: readonly EmittedMetric[]
}

/** CloudWatch's embedded metric format. */
interface EmbeddedMetrics {
  readonly _aws?: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string
      readonly Dimensions: readonly (readonly string[])[]
      readonly Metrics: readonly { readonly Name: string }[]
    }[]
  }
  readonly [name: string]: unknown
}

const RUN = `
  const { handler } = await import(process.argv[1])
  const context = { awsRequestId: '1', functionName: 'deployed', getRemainingTimeInMillis: () => 20_000 }
  for (const event of JSON.parse(process.argv[2])) console.log(JSON.stringify({ result: await handler(event, context) }))
`

/** A bundle in a process of its own, where the SDK is found beside it as on Lambda, with variables as in its template. */
export async function runDeployed(
  bundle: string,
  variables: { readonly [name: string]: string },
  events: readonly object[],
): Promise<DeployedRun> {
  // Node looks for the SDK in the folders above.
  const cache = join(ROOT, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const taskRoot = mkdtempSync(join(cache, 'alonce-deployed-'))
  cpSync(bundle, taskRoot, { recursive: true })
  const credentials = { AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none', AWS_REGION: 'us-east-1' }
  const env = { ...variables, ...credentials, AWS_ENDPOINT_URL: String(localConfig().endpoint) }
  const args = ['--input-type=module', '-e', RUN, join(taskRoot, 'index.mjs'), JSON.stringify(events)]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    const lines = stdout.split('\n').filter(Boolean)
    const told = lines.map((line) => JSON.parse(line) as EmbeddedMetrics & { readonly result?: unknown })
    return { results: told.filter((line) => 'result' in line).map(({ result }) => result), metrics: told.flatMap(metricsOf) }
  } finally {
    rmSync(taskRoot, { recursive: true, force: true })
  }
}

const metricsOf = (line: EmbeddedMetrics): EmittedMetric[] =>
  (line._aws?.CloudWatchMetrics ?? []).flatMap(({ Namespace: namespace, Dimensions, Metrics }) =>
    Metrics.map(({ Name: name }) => ({
      namespace,
      name,
      dimensions: Object.fromEntries(Dimensions.flat().map((dimension) => [dimension, String(line[dimension])])),
    })),
  )
