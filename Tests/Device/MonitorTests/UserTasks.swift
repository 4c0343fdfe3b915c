// What a person wants to know, and the keys to it: three at most, and an answer in words, without colour.
import Monitor
import Telemetry
import Testing

/// A question, and how it is answered.
struct UserTask: Sendable, CustomTestStringConvertible {
  var question: String
  var state = SampleState.running
  /// From the overview on.
  var keys: [Key] = []
  /// For each list there is a row of the screen with all its texts.
  var answer: [[String]]

  init(
    _ question: String, _ state: SampleState = .running, _ keys: String = "", then: [Key] = [],
    shows answer: [[String]]
  ) {
    self.question = question
    self.state = state
    self.keys = keys.utf8.map { .character($0) } + then
    self.answer = answer
  }

  var testDescription: String { question }

  static let all: [UserTask] = [
    UserTask("What is p99, and of how many?", shows: [["n 12 430"], ["p99 6.52"]]),
    UserTask(
      "What does it do, how long already, how often?", shows: [["RUNNING", "00:12:41", "152 380"]]),
    UserTask("How many were too late?", shows: [["budget 12.0 ms", "missed 3"]]),
    UserTask(
      "How is the whole run, not the last minute?", .running, "]]", shows: [["window whole run"]]),
    UserTask(
      "Which operator is the slowest?", .running, "5",
      shows: [["0", "conv2d 1x1", "0.384", "8.0 %"]]),
    UserTask(
      "Which operator keeps least to its prediction?", .running, "sss",
      shows: [["by drift"], ["4", "dwconv 3x3", "1.45!"]]),
    UserTask(
      "How are the weights stored?", .running, "6",
      shows: [["int8", "52 tensors", "3.15 MiB", "90 %"]]),
    UserTask(
      "What does one tensor cost?", .running, "6", then: [.enter],
      shows: [["features.0.weight"], ["predicted loss 2.50e-5"]]),
    UserTask("Does it fit, and what is left?", shows: [["budget", "64.0", "free 42.3"]]),
    UserTask(
      "Does it leak?", .running, "3", shows: [["growth", "+20.5 kB/h", "over 00:12:30"]]),
    UserTask(
      "Is the machine short of memory?", .running, "3",
      shows: [["psi", "0.0"], ["majflt", "0/s"]]),
    UserTask(
      "Is energy measured or modelled?",
      shows: [["board", "~6.82 W", "[D]"], ["infer", "~32.9 mJ"]]),
    UserTask("The same on a board with a meter", .metered, shows: [["board", "6.42 W", "[A]"]]),
    UserTask(
      "Why is there no power figure?", .notPermitted, "4",
      shows: [["not permitted"], ["intel-rapl:0/energy_uj"]]),
    UserTask(
      "How long does the battery last?", .metered, "4", shows: [["battery", "5.45 h left"]]),
    UserTask(
      "Is it throttled, and what does that cost?", .throttled,
      shows: [["! THROTTLED", "cpu-thermal over its trip", "+24 %"]]),
    UserTask(
      "When did throttling start?", .throttled, "4", shows: [["00:12:03", "now", "cpu-thermal"]]),
    UserTask(
      "Which zone is the hottest?", .throttled, "4", shows: [["cpu-thermal", "82.0", "80.0"]]),
    UserTask(
      "Was the plan right?", .running, "7",
      shows: [["p50 ms", "1.07", "as planned"], ["energy mJ", "1.17 !", "higher than planned"]]),
    UserTask(
      "What does the prediction rest on?", .running, "e", shows: [["from the profile's figures"]]),
    UserTask("What did it say last?", .running, "8", shows: [["152380", "tabby cat 0.913"]]),
    UserTask("How often is it right?", shows: [["accuracy 98.3 % of 180"]]),
    UserTask(
      "What does it look at?", .running, "i", shows: [["#152380", "person 0.91", "640x480"]]),
    UserTask(
      "What happened?", .running, "9",
      shows: [["00:11:40 !", "input queue was empty"], ["loaded"]]),
    UserTask(
      "Where is the camera?", .inputLost, shows: [["INPUT LOST"], ["/dev/video0: No such device"]]),
    UserTask("Were samples lost?", .overBudget, shows: [["! samples lost 12"]]),
    UserTask(
      "What does watching cost?", .running, "5", shows: [["monitor 0.8 % of a core"]]),
    UserTask(
      "How is a snapshot saved?", .running, "?G", shows: [["w ", "write what is shown to a file"]]),
    UserTask("How does one leave?", shows: [["q quit"]]),
  ]
}

struct UserTasks {
  @Test(
    arguments: UserTask.all, [Size(columns: 80, rows: 24), Size(columns: 120, rows: 40)])
  func threeKeysAtMost(task: UserTask, size: Size) {
    var viewer = Viewer()
    viewer.size = size
    viewer.snapshot = Samples.snapshot(task.state)
    viewer.snapshot.picture = Scene.reading()
    #expect(task.keys.count <= 3)
    for key in task.keys { viewer.press(key) }
    viewer.snapshot.windowSeconds = viewer.ui.window.seconds
    let frame = MonitorView.frame(
      viewer.snapshot, size: size, capabilities: Capabilities(colors: 0, isUnicode: true),
      ui: viewer.ui)
    let rows = frame.text.split(separator: "\n")
    for texts in task.answer {
      let isThere = rows.contains { row in texts.allSatisfy { row.contains($0) } }
      #expect(isThere, "\(texts) at \(size.columns)x\(size.rows):\n\(frame.text)")
    }
  }

  /// What a key does outside of the view.
  @Test func oneKeyEach() {
    for (key, action) in [
      ("q", .quit(isInterrupt: false)), ("w", .saveSnapshot), ("t", .trace), (" ", .freeze),
      ("P", .pause), ("r", .resetStatistics), ("m", .mark), ("b", .measureIdle),
    ] as [(String, Action)] {
      #expect(key.utf8.first.flatMap { Key.character($0).action } == action)
    }
  }

  /// Leaving is answered at once, also where it takes a while.
  @Test func leavingIsSeen() {
    var viewer = Viewer()
    viewer.ui.isLeaving = true
    #expect(viewer.screen.contains("stopping after this inference, q again leaves at once"))
  }
}
