/**
 * Rounds of work that never run inside each other: one that is asked for while another runs follows it.
 */
export class Rounds {
  private state: "Resting" | "Working" | "AskedAgain" = "Resting"
  private turn: "None" | "Coming" = "None"
  private readonly round: () => void
  private readonly later: (turn: () => void) => void

  constructor(round: () => void, later: (turn: () => void) => void) {
    this.round = round
    this.later = later
  }

  get isWorking(): boolean {
    return this.state !== "Resting"
  }

  /** Runs rounds until none is asked for, or the next is left to a later turn. */
  run(): void {
    if (this.state !== "Resting") {
      this.state = "AskedAgain"
      return
    }
    try {
      do {
        this.state = "Working"
        this.round()
      } while (this.asksAgain() && this.turn === "None")
    } finally {
      this.state = "Resting"
    }
  }

  /** Calls back in a later turn of the event loop, however often it is asked to before. */
  runLater(callback: () => void): void {
    if (this.turn === "Coming") return
    this.turn = "Coming"
    this.later(() => {
      this.turn = "None"
      callback()
    })
  }

  // A method, because the compiler does not see that a round may change the state.
  private asksAgain(): boolean {
    return this.state === "AskedAgain"
  }
}
