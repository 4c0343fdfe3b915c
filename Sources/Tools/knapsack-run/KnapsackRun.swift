@main struct KnapsackRun { static func main() {} }
