@main struct Knapsack { static func main() {} }
