import { answerTo, answerToError, type PaymentsHandler } from '../functions/payments/handler.ts'
import { isProblem, parsePayment } from '../functions/payments/payment.ts'
import type { PaymentProvider } from '../functions/payments/provider.ts'

/** The payments function as many are written: the same business code, without Alonce and without downstream keys. */
export function bareHandler(provider: PaymentProvider): PaymentsHandler {
  return async (event) => {
    const payment = parsePayment(event)
    if (isProblem(payment)) return { statusCode: 400, body: JSON.stringify({ message: payment.problem }) }
    try {
      return answerTo(payment, await provider.charge(payment, undefined))
    } catch (error) {
      return answerToError(error)
    }
  }
}
