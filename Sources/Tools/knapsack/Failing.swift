// Errors of every module, brought to one line and one exit code.
import ArgumentParser
import BundleFormat
import Calibration
import Exporters
import Fitting
import Foundation
import Graphs
import Importers
import Loops
import Packing
import Placement
import Platform
import Programs
import Runtime

/// Runs a command's body; whatever it throws ends the process with one clear line.
func reportingFailures(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch {
    let failure = failure(for: error)
    failure.report(tool: "knapsack")
    throw ArgumentParser.ExitCode(failure.code.rawValue)
  }
}

/// The exit code and line of an error.
func failure(for error: any Error) -> Failure {
  switch error {
  case let e as Failure: e
  case let e as FitError: Failure(.doesNotFit, e.description)
  case let e as GoalsNotReached: Failure(.doesNotFit, e.description)
  case let e as CalibrationError: Failure(.badData, e.description)
  case let e as ProfileError: Failure(.configuration, e.description)
  case let e as RecipeError: Failure(.badData, e.description)
  case let e as ImportError: Failure(e.isMissingInput ? .missingInput : .badData, e.description)
  case let e as GraphError: Failure(.badData, e.description)
  case let e as ProgramError: Failure(.badData, e.description)
  case let e as PreparationError: Failure(.badData, e.description)
  case let e as PlacementError:
    Failure(e.isAboutTarget ? .configuration : .doesNotFit, e.description)
  case let e as VendorCompilerError:
    Failure(e.isMissing ? .unavailable : .failure, e.description)
  case let e as RangeError: Failure(.badData, e.description)
  case let e as ExportError: Failure(.badData, e.description)
  case let e as SessionError: Failure(.badData, e.description)
  case let e as BundleError: Failure(bundle: e)
  case let e as PlatformError: Failure(e)
  case let e as PackError: Failure(.usage, e.description)
  default: Failure(.failure, "\(error)")
  }
}

/// `; did you mean 'run'?`, or nothing.
func suggestion(for word: String, among names: [String]) -> String {
  nearestName(to: word, among: names).map { "; did you mean '\($0)'?" } ?? ""
}
