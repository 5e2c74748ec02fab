import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createTable } from 'alonce/dynamodb'
import { startStoreServer } from '../demo/store-server.ts'
import { memoryStore } from '../lib/stores/memory/memory-store.ts'
import { javaVersion, startDynamoDBLocal, untilUp } from '../scripts/dynamodb-local.ts'
import type { Variables } from './lambda/environment.ts'

/** Where the functions' records and orders are. */
export interface Tables {
  readonly kind: 'endpoint' | 'dynamodb-local' | 'memory'
  /** For people. */
  readonly where: string
  /** For the functions. */
  readonly variables: Variables
  close(): Promise<void>
}

/** A table endpoint that was asked for does not answer, or refuses. */
export class NoTables extends Error {
  override readonly name = 'NoTables'
}

type Env = Readonly<Record<string, string | undefined>>

/** The endpoint of `AWS_ENDPOINT_URL`, else DynamoDB Local, else memory. The tables are made if they are missing. */
export async function openTables(env: Env): Promise<Tables> {
  const endpoint = env['AWS_ENDPOINT_URL_DYNAMODB'] || env['AWS_ENDPOINT_URL']
  if (endpoint) return openEndpoint(endpoint, env)
  return javaVersion() === undefined ? openMemory() : openLocal(env)
}

async function openEndpoint(endpoint: string, env: Env): Promise<Tables> {
  const variables = variablesFor(endpoint, env)
  try {
    await makeTables(endpoint, variables)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message || cause.name : String(cause)
    throw new NoTables(`The tables could not be made at ${endpoint}, the endpoint that AWS_ENDPOINT_URL names: ${why}`, { cause })
  }
  return { kind: 'endpoint', where: endpoint, variables, close: async () => undefined }
}

async function openLocal(env: Env): Promise<Tables> {
  const local = await startDynamoDBLocal()
  try {
    await untilUp(local.endpoint)
    const variables = variablesFor(local.endpoint, { ALONCE_TABLE: env['ALONCE_TABLE'], ORDERS_TABLE: env['ORDERS_TABLE'] })
    await makeTables(local.endpoint, variables)
    return { kind: 'dynamodb-local', where: `DynamoDB Local, ${local.endpoint}`, variables, close: () => local.stop() }
  } catch (error) {
    await local.stop()
    throw error
  }
}

async function openMemory(): Promise<Tables> {
  const server = await startStoreServer(memoryStore())
  const variables = { DEV_STORE_PORT: String(server.port) }
  return { kind: 'memory', where: 'this process’s memory', variables, close: () => server.close() }
}

/** The names that the functions read; of the user's AWS settings only what an endpoint needs. */
function variablesFor(endpoint: string, env: Env): Variables {
  const passed = ['AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']
  return {
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    ...Object.fromEntries(passed.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
    AWS_REGION: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || 'eu-central-1',
    AWS_ENDPOINT_URL_DYNAMODB: endpoint,
    ALONCE_TABLE: env['ALONCE_TABLE'] || 'alonce-dev',
    ORDERS_TABLE: env['ORDERS_TABLE'] || 'orders-dev',
  }
}

async function makeTables(endpoint: string, variables: Variables): Promise<void> {
  const credentials = {
    accessKeyId: String(variables['AWS_ACCESS_KEY_ID']),
    secretAccessKey: String(variables['AWS_SECRET_ACCESS_KEY']),
    ...(variables['AWS_SESSION_TOKEN'] ? { sessionToken: variables['AWS_SESSION_TOKEN'] } : {}),
  }
  const client = new DynamoDBClient({ endpoint, region: String(variables['AWS_REGION']), credentials, maxAttempts: 2 })
  try {
    const names = [variables['ALONCE_TABLE'], variables['ORDERS_TABLE']].map(String)
    await Promise.all(names.map((tableName) => createTable({ tableName, client })))
  } finally {
    client.destroy()
  }
}
