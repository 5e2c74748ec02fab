import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { dynamodbStore } from 'alonce/dynamodb'
import { telemetry } from '../telemetry.ts'
import { settlementHandler } from './handler.ts'

const tableName = process.env['ORDERS_TABLE']
if (!tableName) throw new Error('Set ORDERS_TABLE to the name of the table with the orders.')

export const handler = settlementHandler({
  store: dynamodbStore({ tableName: process.env['ALONCE_TABLE'] }),
  documents: DynamoDBDocumentClient.from(new DynamoDBClient({})),
  tableName,
  leaseMs: Number(process.env['SETTLEMENT_LEASE_MS'] ?? 30_000),
  ...telemetry,
})
