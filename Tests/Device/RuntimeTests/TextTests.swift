// Texts in a session: kept as long as something refers to them, and no longer.
import GraphRunning
import Graphs
import Lowering
import Operators
import Programs
import Runtime
import Tensors
import Testing

@Suite struct TextTests {
  private func strings(_ list: [String]) -> Constant {
    Constant(texts: list.map { Array($0.utf8) }, shape: Shape([list.count]))
  }

  private func texts(_ constant: Constant?) -> [String]? {
    constant?.textBytes?.map { String(decoding: $0, as: UTF8.self) }
  }

  /// What came before, joined with x; a state holds it for the next run.
  private func memory() -> Graph {
    var g = Graph(name: "memory")
    let x = g.addInput("x", .string, [.constant(1)])
    let old = g.addInput("old", .string, [.constant(1)])
    let comma = g.addConstant("comma", strings([","]))
    let front = g.add(.stringConcat(StringConcat()), [old, comma], name: "front")
    let all = g.add(.stringConcat(StringConcat()), [front, x], name: "all")
    g.addOutput("all", all)
    g.states = [GraphState(input: 1, next: all)]
    return g
  }

  @Test func statesKeepTheirTexts() throws {
    let run = try GraphRun(memory())
    var wanted = ""
    for i in 0..<50 {
      wanted += ",\(i)"
      #expect(texts(try run(["x": strings(["\(i)"])])["all"]) == [wanted])
    }
    run.session.resetStates()
    #expect(texts(try run(["x": strings(["z"])])["all"]) == [",z"])
  }

  @Test func whatNothingRefersToGoes() throws {
    var g = Graph(name: "join")
    let x = g.addInput("x", .string, [.symbol("n")])
    let end = g.addConstant("end", strings(["!"]))
    let y = g.add(.stringConcat(StringConcat()), [x, end], name: "y")
    let shape = g.add(.shapeOf(ShapeOf()), [x], name: "shape")
    let count = g.add(.stringFromNumber(StringFromNumber()), [shape], name: "count")
    g.addOutput("y", y)
    g.addOutput("z", g.add(.stringConcat(StringConcat()), [y, count], name: "z"))
    let run = try GraphRun(g)
    // Texts of one run: the input's, y's and z's.
    for i in 0..<200 {
      let list = (0..<3).map { "text \(i) \($0)" }
      let outputs = try run(["x": strings(list)])
      #expect(texts(outputs["y"]) == list.map { $0 + "!" })
      #expect(texts(outputs["z"]) == list.map { $0 + "!3" })
      #expect(run.session.texts.end < 400)
    }
    // What was filled in once stays for any number of runs.
    for _ in 0..<5 {
      #expect(texts(try run([:])["y"])?.first == "text 199 0!")
    }
    #expect(texts(try run(["x": strings(["a"])])["z"]) == ["a!1"])
  }

  /// A loop that doubles a text, which no memory is enough for.
  @Test func texts_beyond_memory_end_the_run() throws {
    var body = Graph(name: "double")
    _ = body.addOpenInput("i", .i64)
    let goesOn = body.addOpenInput("goes on", .bool)
    let text = body.addOpenInput("text", .string)
    body.addOutput("goes on", goesOn)
    body.addOutput(
      "twice", body.add(.stringConcat(StringConcat()), [text, text], name: "twice"))
    var g = Graph(name: "loop")
    let count = g.addInput("count", .i64, [])
    let x = g.addInput("x", .string, [])
    let output = g.addValue("y")
    g.bodies = [body]
    g.nodes.append(
      Node(
        name: "loop", op: .loop(Loop(body: 0, carriedCount: 1, collectedCount: 0)),
        inputs: [count, nil, x], outputs: [output]))
    g.addOutput("y", output)
    let lowered = try Lowering.lower(g) { _ in .f32 }
    let session = try Session(
      program: lowered.program, weights: [], maximumBytes: 1 << 20)
    func run(_ times: Int) throws -> String {
      try session.prepare(shapes: [Shape(), Shape()])
      session.input(0).elements(Int64.self)[0] = Int64(times)
      session.input(1).texts[0] = session.texts.add("ab".utf8)
      try session.run()
      return String(
        decoding: session.texts.text(session.output(0).texts[0]), as: UTF8.self)
    }
    #expect(try run(3) == String(repeating: "ab", count: 8))
    #expect(throws: SessionError.self) { try run(40) }
    #expect(try run(1) == "abab")
  }

  @Test func programsBringTheirTextsAlong() throws {
    let program = try Lowering.lower(memory()) { _ in .f32 }.program
    #expect(program.texts == Array(",".utf8))
    let back = try Program(decoding: program.encoded())
    #expect(back == program)
    // References that lead outside are empty texts, whatever they say.
    let pool = TextPool(program.texts)
    for reference in [
      TextReference(offset: 0, count: 2), TextReference(offset: 2, count: 0),
      TextReference(offset: .max, count: .max), TextReference(offset: 1, count: .max),
    ] { #expect(pool.text(reference) == []) }
    #expect(pool.text(TextReference(offset: 0, count: 1)) == [0x2C])
  }
}
